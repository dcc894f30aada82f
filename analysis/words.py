"""Numbers and counts as people read them."""

from __future__ import annotations

import math

UNDEFINED = "–"


def number(value: float | int | None, digits: int = 3) -> str:
    """A number with `digits` significant digits; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e6:
        return minus(str(int(value)))
    return minus(f"{value:.{digits}g}")


def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign, for differences."""
    shown = number(value, digits)
    return f"+{shown}" if value is not None and value > 0 and shown != UNDEFINED else shown


def percent(fraction: float | None) -> str:
    """A fraction in percent; 100 % only where nothing is missing, 0 % only where nothing is."""
    if fraction is None or math.isnan(fraction):
        return UNDEFINED
    shown = f"{100 * fraction:.1f}"
    if shown == "100.0" and fraction < 1:
        return "> 99.9 %"
    if shown == "0.0" and fraction > 0:
        return "< 0.1 %"
    return f"{shown.removesuffix('.0')} %"


def p_value(value: float | None) -> str:
    """A probability; small ones as a bound."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def minus(written: str) -> str:
    """The sign of numbers as typographers set it, and short exponents."""
    mantissa, e, exponent = written.partition("e")
    if e:
        written = f"{mantissa}e{int(exponent)}"
    return written.replace("-", "−")


def counted(n: int, thing: str) -> str:
    """ "1 spike", "2 spikes"."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def listed(names: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
