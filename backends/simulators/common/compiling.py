"""Numba's compiler with a cache that notices every change.

Numba's own cache looks at the file of a function only. A function that calls one in another file
would go on with that one's old machine code after a change; a reference must not. Here the cache's
folder is named for the content of all files of a package.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config

Function = TypeVar("Function", bound=Callable[..., Any])


def compiler(package: Path) -> Callable[[Function], Function]:
    """A decorator that compiles functions of the package in this folder (numba.njit, cached)."""
    files = sorted(package.rglob("*.py"))
    content = [numba.__version__.encode(), *(path.read_bytes() for path in files)]
    digest = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
    folder = package / "__pycache__" / f"compiled-{digest}"
    if package.exists() and not folder.exists():
        for old in folder.parent.glob("compiled-*"):
            shutil.rmtree(old, ignore_errors=True)

    def compiled(function: Function) -> Function:
        settings: Any = config
        before = settings.CACHE_DIR
        settings.CACHE_DIR = before or str(folder)
        try:
            made: Any = numba.njit(cache=True)(function)
        finally:
            settings.CACHE_DIR = before
        return cast(Function, made)

    return compiled
