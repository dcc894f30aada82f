"""One picture of a failed comparison: both rasters, and where the spikes part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.panels import trial_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis.compare import Comparison, ConditionComparison

MOST = 4
"""Conditions that are drawn; those that failed come first."""
WIDTH, ROW, LEFT, GAP = 9.0, 2.3, 0.6, 0.75  # inches


def draw(comparison: Comparison) -> Figure:
    """A row a condition: the rasters, reference in black; differences against spike number."""
    conditions = sorted(comparison.conditions, key=lambda condition: condition.passed)[:MOST]
    height = 0.4 + ROW * len(conditions)
    with style.figure_style():
        figure = Figure(figsize=(WIDTH, height))
        wide = (WIDTH - LEFT - GAP - 0.2) * 0.6
        narrow = (WIDTH - LEFT - GAP - 0.2) * 0.4
        for row, condition in enumerate(conditions, start=1):
            bottom = height - 0.35 - row * ROW + 0.5
            both = style.axes_at(figure, LEFT, bottom, wide, ROW - 0.85)
            _rasters(both, condition)
            beside = style.axes_at(figure, LEFT + wide + GAP, bottom, narrow, ROW - 0.85)
            _offsets(beside, condition)
        sides = (f"reference: {comparison.reference.label}", f"other: {comparison.other.label}")
        for name, colour, x in zip(sides, _COLOURS, (LEFT, LEFT + wide + GAP), strict=True):
            text = style.shortened(style.printable(name), narrow, 8, bold=True)
            style.write(figure, x, height - 0.25, text, 8, color=colour, weight="bold")
    return figure


_COLOURS = (style.BLACK, style.VERMILLION)


def _rasters(axes: Axes, condition: ConditionComparison) -> None:
    """Two ticks a spike: the reference's in the upper half of a trial's row, the other's below."""
    pair = condition.pair
    for side, colour, shift in zip(
        (pair.reference, pair.other), _COLOURS, (0.2, -0.2), strict=True
    ):
        size = 0.36 * 72 * (ROW - 0.85) / max(side.n_trials, 1)
        axes.plot(
            side.spikes.times,
            side.spikes.trials + 1 + shift,
            linestyle="none",
            marker="|",
            markersize=max(size, 0.6),
            markeredgewidth=0.7,
            color=colour,
            rasterized=True,
        )
    axes.set_ylim(0.5, max(pair.reference.n_trials, 1) + 0.5)
    axes.set_yticks(trial_ticks(pair.reference.n_trials))
    axes.set_xlim(pair.reference.spikes.t_start, pair.reference.spikes.t_stop)
    verdict = "passed" if condition.passed else "FAILED"
    axes.set_title(style.printable(f"{condition.name}: {verdict}, {condition.policy}"), loc="left")
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("trial")


def _offsets(axes: Axes, condition: ConditionComparison) -> None:
    """The difference of each matched pair against the number of its spike."""
    matching = condition.matching
    axes.axhline(0.0, color=style.GREY, linewidth=0.6)
    axes.plot(
        matching.ordinals,
        matching.offsets,
        linestyle="none",
        marker=".",
        markersize=3,
        color=_COLOURS[1],
        rasterized=True,
    )
    left = f"{len(matching.missing)} missing, {len(matching.extra)} extra"
    axes.set_title(f"{matching.n_pairs} matched, {left}", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("spike number")
    axes.set_ylabel("difference (ms)")
