"""The one way in which functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """The function, compiled when it is first called with some types and then kept on disk."""
    return cast(_Function, numba.njit(cache=True)(function))
