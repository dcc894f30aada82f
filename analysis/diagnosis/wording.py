"""Numbers as people write them."""

from __future__ import annotations

from collections.abc import Sequence


def ms(time: float) -> str:
    """0.1 ms"""
    return f"{time:.4g} ms" if abs(time) < 100 else f"{time:.6g} ms"


def signed(value: float, unit: str) -> str:
    """+0.0865 ms"""
    return f"{value:+.3g} {unit}"


def percent(fraction: float) -> str:
    """98.7 %"""
    value = 100 * fraction
    if 0 < value < 0.1 or 99.9 < value < 100:
        return f"{value:.2f} %"
    return f"{value:.1f} %" if value % 1 > 1e-6 else f"{value:.0f} %"


def many(number: int, what: str) -> str:
    """1 timestep, 2 timesteps"""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def trials_named(trials: Sequence[int], most: int = 6) -> str:
    """trial 3; trials 1, 2, 5: numbered from 1, as in the figures, for trials from 0."""
    shown = ", ".join(str(int(k) + 1) for k in trials[:most])
    if len(trials) > most:
        shown += f" and {len(trials) - most} more"
    return f"{'trial' if len(trials) == 1 else 'trials'} {shown}"
