"""A preview as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence

from .arithmetic import UNIT
from .preview import WITHIN, Change, Levels, Parameter, Preview


def text(found: Preview) -> str:
    """Tables of parameters, currents and spikes, then what the platform would get wrong."""
    parts = [
        _table(
            ("parameter", "requested", "effective", "unit", "ppm"),
            [_parameter(p) for p in found.parameters],
        ),
        f"currents in steps of {1000 * UNIT:.4g} pA:\n"
        + _table(
            (
                "condition",
                "levels",
                "mean (nA)",
                "effective",
                "ppm",
                "SD (nA)",
                "rounding RMS",
                "largest",
            ),
            [_levels(levels) for levels in found.levels],
        ),
        "spikes, against the exact solution on the same time grid (shift: of the n-th spike of a "
        "trial, ms):\n"
        + _table(
            (
                "condition",
                "exact",
                "SpiNNaker",
                f"within {WITHIN:g} ms",
                "first change",
                "mean shift",
                "largest",
            ),
            [_change(change) for change in found.changes],
        ),
    ]
    notes = [f"note: {c.condition}: {c.note}" for c in found.changes if c.note]
    notes += [f"warning: {warning}" for warning in found.warnings]
    if not found.warnings:
        notes.append("no number is clipped or wraps")
    return "\n\n".join([*parts, "\n".join(notes)])


def _parameter(p: Parameter) -> tuple[str, ...]:
    return p.name, f"{p.requested:.8g}", f"{p.effective:.8g}", p.unit, _ppm(p.ppm)


def _ppm(ppm: float | None) -> str:
    if ppm is None:
        return "-"
    return f"{ppm:+.0f}" if round(ppm) else "0"


def _levels(levels: Levels) -> tuple[str, ...]:
    return (
        levels.condition,
        str(levels.levels),
        f"{levels.mean:.6g}",
        f"{levels.mean_effective:.6g}",
        _ppm(levels.ppm),
        f"{levels.stdev:.4g}",
        f"{levels.rounding_rms:.2g}",
        f"{levels.rounding_largest:.2g}",
    )


def _change(change: Change) -> tuple[str, ...]:
    return (
        change.condition,
        str(change.exact),
        f"{change.spinnaker} ({change.spinnaker - change.exact:+d})",
        "-" if change.matched is None else f"{100 * change.matched:.1f} %",
        "-" if change.first is None else f"{change.first:g} ms",
        "-" if change.shift_mean is None else f"{change.shift_mean:+.3f}",
        "-" if change.shift_largest is None else f"{change.shift_largest:+.4g}",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [tuple(head), *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
