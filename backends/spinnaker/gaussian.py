"""The random numbers of a core: Marsaglia's KISS and a table of the normal distribution."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_TABLE = Path(__file__).parent / "data" / "gaussian.npz"
_EXTREME = 229376
"""7 standard deviations, the one value that the table jumps to."""

HIGHEST_CARRY = 698769068


class Seed(NamedTuple):
    """The four words of the generator: any, but y is not 0, and c from 1 to 698769068."""

    x: int
    y: int
    z: int
    c: int


@cache
def table() -> npt.NDArray[np.int32]:
    """The inverse of the normal distribution, (65536,) numbers of a core.

    Entry i + 32768 is that of the probability (i + 32768)/65536. Kept as the differences of its
    upper half, which the lower one mirrors; the values are those of sPyNNaker 7.4's machine code.
    """
    with np.load(_TABLE) as data:
        upper = np.concatenate(([0], np.cumsum(data["steps"], dtype=np.int64), [_EXTREME]))
    found: npt.NDArray[np.int32] = np.concatenate((-upper[:0:-1], upper[:-1])).astype(np.int32)
    found.flags.writeable = False
    return found
