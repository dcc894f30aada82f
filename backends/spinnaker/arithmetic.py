"""The numbers of a SpiNNaker core: s16.15 as sPyNNaker 7.4's machine code computes with it.

A number is an int32, in units of 1/32768. Products are shifted, not rounded, and everything wraps
modulo 2^32: nothing saturates. The host's side is exact decimal arithmetic. Everything here is for
a few numbers at a time (parameters, samples of a sine); what runs every step is compiled, see
:mod:`.twin.kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Raw = npt.NDArray[np.int64]
"""Numbers of a core: within int32, held in int64, in which two of them can be multiplied."""

UNIT = 1 / 32768
ONE = 32768
LOWEST, HIGHEST = -(2**31), 2**31 - 1
LARGEST = 65536.0
"""Numbers go from −65536 up to this, exclusive."""


def wrap(value: Any) -> Any:
    """An integer, or an array of them, modulo 2^32 into int32's range."""
    return ((value + 2**31) & 0xFFFFFFFF) - 2**31


def encode(name: str, value: float) -> int:
    """A number as sPyNNaker's host code writes it: its decimal digits, rounded half to even.

    Raises ValueError where sPyNNaker does: outside −65536 <= value < 65536.
    """
    value = float(value)
    if not -LARGEST <= value <= HIGHEST * UNIT:
        raise ValueError(
            f"{name} = {value:g}: SpiNNaker's numbers go from {-LARGEST:g} to {LARGEST:g} in steps "
            "of 1/32768"
        )
    return int(round(Decimal(str(value)) * ONE))


def encode_array(name: str, values: Iterable[float]) -> Raw:
    """:func:`encode` for an array, int64 of the same shape."""
    given = np.asarray(values, dtype=float)
    wrong = ~((given >= -LARGEST) & (given <= HIGHEST * UNIT))
    if wrong.any():
        encode(name, float(given[wrong][0]))
    scaled = given * ONE  # exact; only where it is a tie can the decimal digits matter
    found = np.rint(scaled)
    for place in np.flatnonzero(np.abs(scaled - np.trunc(scaled)) == 0.5):
        found.flat[place] = encode(name, float(given.flat[place]))
    return np.asarray(found, dtype=np.int64)


def decode(raw: Any) -> Any:
    """The number, exactly, as a float."""
    return np.asarray(raw, dtype=float) * UNIT


def multiply(a: Any, b: Any) -> Any:
    """a·b of two numbers: the lower bits are dropped, the upper ones wrap."""
    return wrap((a * b) >> 15)


def divide(a: int, b: int) -> int:
    """a/b of two numbers, rounded down; ZeroDivisionError where a core would stop with a fault."""
    return int(wrap((a << 15) // b))


# --- the exponential function --------------------------------------------------------------------

EXP_LOWEST, EXP_HIGHEST = -340695, 363408
"""Arguments below give 0, above the largest number."""


@cache
def _exp_tables() -> tuple[list[int], list[int]]:
    """H[i] = e^(i−13)·2^32 and M[j] = (1 − e^(−j/16))·2^32, rounded."""
    with localcontext() as context:
        context.prec = 50
        scale = Decimal(2) ** 32
        whole = [int(round(Decimal(i - 13).exp() * scale)) for i in range(27)]
        parts = [int(round((1 - (Decimal(-j) / 16).exp()) * scale)) for j in range(16)]
    return whole, parts


def _scaled(x: int, y: int) -> int:
    """x·y / 2^32 as the core's two multiplications round it."""
    low = (x & 0xFFFFFFFF) * y
    return (low >> 32) + ((low & 0xFFFFFFFF) > 0x80000000) + (x >> 32) * y


def _exp64(n: int) -> int:
    """e^n·2^32 of a number n: whole part and sixteenths from tables, the rest by a polynomial."""
    whole, parts = _exp_tables()
    z, rest = n >> 15, n & 0x7FFF
    if rest == 0:
        return whole[13 + z]
    rest = ONE - rest  # e^n = e^(z+1) · e^−rest
    total = whole[14 + z]
    total -= _scaled(total, parts[rest >> 11])
    y = (rest & 0x7FF) << 17
    fraction = 4293434720 - ((2081624032 * y) >> 32)
    fraction = ((fraction * y) >> 32) + 5294
    return total - _scaled(total, fraction)


def exp(n: int) -> int:
    """e^n of a number, as a number."""
    if n < EXP_LOWEST:
        return 0
    return HIGHEST if n > EXP_HIGHEST else int(wrap(_exp64(n) >> 17))


def exp_fraction(n: int) -> int:
    """e^n of a number, in units of 2^−32, unsigned."""
    if n < EXP_LOWEST:
        return 0
    return HIGHEST if n > EXP_HIGHEST else _exp64(n) & 0xFFFFFFFF


# --- the sine ------------------------------------------------------------------------------------

_EIGHTHS, _EIGHTHS_ANGLE = 7358, 189364951
"""7358 eighths of a turn, and their angle as a number: larger angles are brought below that."""
_DOZEN_ANGLE = 2470649
"""An angle of twelve eighths, in units of 2^−18."""
_EIGHTH_FINE = 105414357
"""An eighth of a turn in units of 2^−27."""
_HALF_ROOT = 1518500250
"""√½ in units of 2^−31."""


@cache
def _sine_tables() -> tuple[Raw, Raw]:
    """sin(k/16) and cos(k/16) − 1 in units of 2^−31, for k of five bits with a sign."""
    angles = np.arange(16) / 16
    sine = np.rint(np.sin(angles) * 2.0**31).astype(np.int64)
    cosine = np.rint((np.cos(angles) - 1) * 2.0**31).astype(np.int64)
    return sine, cosine


def _by_top(a: Any, b: Any) -> Any:
    """a·(upper half of b) / 2^16, rounded down."""
    return (a * (b >> 16)) >> 16


def sine(x: Any) -> Raw:
    """The sine of numbers in radians, as the core computes it: to about 1/32768.

    Raises ValueError for angles, some of them below −15900, whose reduction fails on the core: it
    then reads memory that is no part of its tables.
    """
    x = np.asarray(x, dtype=np.int64)
    eighth = ((x * 20861) >> 16) >> 13
    octant = eighth & 7
    turns = eighth // _EIGHTHS
    eighth = eighth - turns * _EIGHTHS
    x = wrap(x - turns * _EIGHTHS_ANGLE)
    dozens = ((eighth * 21845) >> 16) >> 2
    eighth = eighth - 12 * dozens
    x = wrap((x << 3) - _DOZEN_ANGLE * dozens)
    x = wrap((x << 9) - _EIGHTH_FINE * eighth)
    below = x < 0
    x = np.where(below, wrap(x + _EIGHTH_FINE), x)
    octant = np.where(below, (octant + 7) & 7, octant)
    x = wrap(x << 4)
    place = ((x >> 26) & 1) + (x >> 27)
    if np.any(place & 16):
        raise ValueError(
            "the sine of an angle far below zero (-15900 radians) is undefined on a core"
        )
    return _in_octant(octant, place, wrap(x << 5))


def _in_octant(octant: Raw, place: Raw, x: Raw) -> Raw:
    """The sine of the angle octant/8 turn + place/16 + x·2^−36."""
    sines, cosines = _sine_tables()
    s, c = sines[place], cosines[place]
    square = ((x >> 16) * (x >> 16)) >> 10
    sin = wrap(s + _by_top(s, wrap(-(square << 1))) + (x >> 5))
    sin = wrap(sin + _by_top(c, x >> 4))
    cos = wrap(square - c + _by_top(c, wrap(square << 1)))  # 1 − cos
    cos = wrap(cos + _by_top(s, x >> 4))
    odd_sin = (sin * _HALF_ROOT) >> 31
    odd_cos = _HALF_ROOT - ((cos * _HALF_ROOT) >> 31)
    of_odd = np.select(
        [octant == 1, octant == 3, octant == 5, octant == 7],
        [odd_sin + odd_cos, odd_cos - odd_sin, -(odd_sin + odd_cos), odd_sin - odd_cos],
    )
    of_even = np.select([octant == 0, octant == 4], [sin, -sin], cos)
    rounded = _halved(wrap(np.where(octant & 1, of_odd, of_even)))
    rounded = np.where(octant == 2, ONE - rounded, rounded)
    return np.asarray(np.where(octant == 6, rounded - ONE, rounded), dtype=np.int64)


def _halved(x: Raw) -> Raw:
    """Rounded to units of 2^−15, in 16 bits."""
    found = (x >> 16) + ((x >> 15) & 1)
    return ((found + ONE) & 0xFFFF) - ONE


# --- the host's times ----------------------------------------------------------------------------


def microseconds(timestep: float) -> int:
    """sPyNNaker's timestep: whole µs, rounded up. timestep: ms."""
    return math.ceil(timestep * 1000)


def ticks(times: Any, timestep: float) -> Raw:
    """Times in ms as ticks: what is less than a whole tick is dropped, as sPyNNaker does."""
    scaled = np.asarray(times, dtype=float) * (1000 / microseconds(timestep))
    return np.trunc(scaled).astype(np.int64)
