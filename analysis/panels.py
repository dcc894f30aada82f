"""The rows of the raster figure, each drawn into axes of its own. Times come in ms; `scale` is the
number of ms in one unit of the time axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, MaxNLocator

from analysis import style
from analysis.columns import Column
from analysis.events import Events
from analysis.spikearrays import FloatArray, SpikeArrays
from analysis.statistics import Psth

MAX_VECTOR_SPIKES = 20_000
"""Beyond that the ticks are pixels in SVG and PDF too, which would be too large to open."""

MIN_RANGE = 0.1
"""Smallest range (mV) of the colours: rounding errors are not to look like signals."""

SECONDS_FROM = 10_000.0
"""Duration (ms) from which the time axis is in seconds."""


def time_unit(duration: float) -> tuple[float, str]:
    """(ms in one unit of the time axis, its name) for a run of `duration` ms."""
    return (1000.0, "s") if duration >= SECONDS_FROM else (1.0, "ms")


def stimulus(axes: Axes, column: Column, scale: float) -> None:
    """The shared current, one trial's whole current behind it, and noise of the simulator's own."""
    for native in column.native:
        edges = np.array([native["start"], native["stop"]]) / scale
        mean, sd = native["mean"], native["stdev"]
        axes.fill_between(edges, mean - sd, mean + sd, color=style.PALE, alpha=0.6, linewidth=0)
        axes.plot(edges, [mean, mean], color=style.BLUE, linestyle=(0, (4, 2)))
    if column.total is not None:
        times, amplitudes = column.total.times / scale, column.total.amplitudes
        axes.plot(times, amplitudes, drawstyle="steps-post", color=style.PALE, linewidth=0.6)
    if column.stimulus is not None and (not column.native or np.any(column.stimulus.amplitudes)):
        times, amplitudes = column.stimulus.times / scale, column.stimulus.amplitudes
        width = 1.0 if len(times) < 2000 else 0.6
        axes.plot(times, amplitudes, drawstyle="steps-post", color=style.BLUE, linewidth=width)
    axes.set_ylim(*_padded(*stimulus_span(column)))


def stimulus_span(column: Column) -> tuple[float, float]:
    """Lowest and highest current (nA) of a column's curves."""
    drawn = [c.amplitudes for c in (column.stimulus, column.total) if c is not None]
    drawn += [np.array([n["mean"] - n["stdev"], n["mean"] + n["stdev"]]) for n in column.native]
    drawn = drawn or [np.zeros(1)]
    return float(min(a.min() for a in drawn)), float(max(a.max() for a in drawn))


def comparable(spans: Sequence[tuple[float, float]]) -> bool:
    """Whether curves of these ranges can share one scale: none would look flat beside another."""
    sizes = [max(abs(low), abs(high)) for low, high in spans]
    positive = [size for size in sizes if size > 0]
    return not positive or max(positive) <= 10 * min(positive)


def trials(axes: Axes, spikes: SpikeArrays, scale: float) -> None:
    """A tick for each spike, trial 1 at the bottom."""
    rows, dpi = max(spikes.n_trials, 1), axes.figure.dpi
    axes.set_ylim(0.5, rows + 0.5)
    axes.yaxis.set_major_locator(FixedLocator(trial_ticks(spikes.n_trials)))
    if spikes.times.size == 0:
        _note(axes, "no spikes" if spikes.n_trials else "no spike trains")
        return
    width, height = 72.0 * axes.bbox.width / dpi, 72.0 * axes.bbox.height / dpi  # points
    size = max(0.78 * height / rows, 0.6)
    line_width = float(np.clip(0.35 * width * rows / spikes.times.size, 0.25, 0.8))
    # Where ticks would cover everything they are made transparent, so that their density shows.
    coverage = spikes.times.size * max(size, 0.8) * max(line_width, 0.5) / (width * height)
    axes.plot(
        spikes.times / scale,
        spikes.trials + 1,
        linestyle="none",
        marker="|",
        markersize=size,
        markeredgewidth=line_width,
        color=style.BLACK,
        alpha=float(np.clip(0.7 / coverage, 0.02, 1.0)),
        rasterized=spikes.times.size > MAX_VECTOR_SPIKES,
    )


def trial_ticks(n_trials: int) -> list[int]:
    """1, and the multiples of a round number up to n_trials: at most six numbers."""
    if n_trials < 1:
        return []
    steps = (m * 10**e for e in range(10) for m in (1, 2, 5))
    step = next(s for s in steps if n_trials / s <= 5)
    return sorted({1, *range(step, n_trials + 1, step)})


def psth(axes: Axes, histogram: Psth | None, scale: float) -> None:
    """The PSTH as a filled staircase from 0 on."""
    if histogram is None:
        axes.set_ylim(0.0, 1.0)
        return
    axes.stairs(histogram.rate, histogram.edges / scale, fill=True, color=style.BLUE, linewidth=0)
    axes.set_ylim(0.0, 1.08 * float(histogram.rate.max()) or 1.0)


def shade(axes: Axes, events: Events, scale: float) -> None:
    """The windows of the events, over the whole height, behind everything else."""
    axes.broken_barh(
        list(zip(events.start / scale, (events.stop - events.start) / scale, strict=True)),
        (0.0, 1.0),
        transform=axes.get_xaxis_transform(),
        color=style.ORANGE,
        alpha=0.38,
        linewidth=0,
        zorder=0,
    )


def potentials(axes: Axes, column: Column, scale: float, limits: tuple[float, float]) -> None:
    """The heat map, a row a neuron, the first at the bottom; `limits` of the colours in mV."""
    recorded = column.potentials
    if recorded is None:
        axes.set_yticks([])
        _note(axes, "not recorded")
        return
    n = len(recorded.trials)
    axes.imshow(
        recorded.values,
        aspect="auto",
        origin="lower",
        extent=(recorded.start / scale, recorded.stop / scale, 0.5, n + 0.5),
        cmap="viridis",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    ticks = trial_ticks(n)
    axes.set_yticks(ticks, [str(recorded.trials[tick - 1] + 1) for tick in ticks])


def potential_limits(recorded: Sequence[FloatArray]) -> tuple[float, float]:
    """Colour limits (mV) for all columns; single extreme samples do not stretch them."""
    pieces = [values.ravel()[:: max(1, values.size // 50_000)] for values in recorded]
    low, high = np.percentile(np.concatenate(pieces), [0.2, 99.8])
    margin = max(0.0, 0.5 * (MIN_RANGE - (high - low)))
    return float(low - margin), float(high + margin)


def few_ticks(axis: Axis, most: int) -> None:
    """At most `most` intervals between ticks, at round numbers, each written in full."""
    axis.set_major_locator(MaxNLocator(most, min_n_ticks=2, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(lambda value, _: _number(value))


def round_number(value: float) -> float:
    """The nearest, by ratio, of ..., 0.5, 1, 2, 5, 10, 20, ..."""
    power = 10.0 ** math.floor(math.log10(value))
    return min((power * m for m in (1, 2, 5, 10)), key=lambda x: abs(math.log(x / value)))


def _number(value: float) -> str:
    text = f"{value:g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return text.replace("-", "−")


def _note(axes: Axes, text: str) -> None:
    """Grey words in the middle of empty axes."""
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center",
        color=style.GREY, fontsize=style.SMALL,
    )  # fmt: skip


def _padded(low: float, high: float) -> tuple[float, float]:
    """The range with a margin; around a single value, a range that shows where it is."""
    margin = 0.06 * (high - low) if high > low else 0.5 * abs(high) or 1.0
    return low - margin, high + margin
