"""The figure of inter-spike intervals: a histogram and the CV for each condition."""

from __future__ import annotations

from collections.abc import Sequence

import neo
import numpy as np
from matplotlib.figure import Figure

from analysis import style
from analysis.columns import Column, columns
from analysis.panels import comparable, few_ticks
from analysis.raster import COLUMN_WIDTHS, MAX_COLUMNS, chosen_segments
from analysis.spikearrays import FloatArray
from analysis.statistics import cv, isi

LEFT, RIGHT, NARROW_GAP, WIDE_GAP = 0.7, 0.22, 0.32, 0.54
AXES_HEIGHT, TIME_AXIS_HEIGHT, HEADS_HEIGHT = 1.7, 0.44, 0.86
BINS = 50


def isi_figure(block: neo.Block, conditions: Sequence[str] | None = None) -> Figure:
    """Histograms of the intervals of all trials, over the same bins in each condition.

    conditions: the names of the segments to draw; None for all, or as in the raster figure.
    The last bin is where 99.5 % of all intervals are shorter; a caption counts the rest. The CV
    is the mean over trials with at least two intervals, with its SD.

    Raises ValueError for a condition that the block does not have.
    """
    segments = chosen_segments(block, conditions)
    shown = columns(block, segments)
    intervals = [_intervals(column) for column in shown]
    edges = _edges(np.concatenate([np.zeros(0), *intervals]))
    captions = ["CV: mean ± SD over trials."]
    beyond = int(sum(np.sum(found > edges[-1]) for found in intervals))
    if beyond:
        total = sum(map(len, intervals))
        captions.append(f"Longer than {edges[-1]:.4g} ms, not shown: {beyond} of {total}.")
    if conditions is None and len(segments) < len(block.segments):
        captions.insert(0, f"{len(segments)} of {len(block.segments)} conditions are shown.")
    with style.figure_style():
        return _drawn(block, shown, intervals, edges, " ".join(captions))


def _intervals(column: Column) -> FloatArray:
    """All intervals of a column, ms."""
    return isi(column.spikes).durations if column.spikes.n_trials else np.zeros(0)


def _edges(durations: FloatArray) -> FloatArray:
    """Bin edges (ms) from 0 on."""
    longest = float(np.quantile(durations, 0.995)) if durations.size else 1.0
    return np.linspace(0.0, 1.05 * longest or 1.0, BINS + 1)


def _drawn(
    block: neo.Block,
    shown: list[Column],
    intervals: list[FloatArray],
    edges: FloatArray,
    caption: str,
) -> Figure:
    n = max(len(shown), 1)
    column_width = COLUMN_WIDTHS[min(n, MAX_COLUMNS)]
    counts = [np.histogram(found, edges)[0] for found in intervals]
    highest = [int(count.max()) for count in counts]
    shared = comparable([(0.0, high) for high in highest])
    gap = NARROW_GAP if shared else WIDE_GAP
    width = LEFT + n * column_width + (n - 1) * gap + RIGHT
    foot = style.footer_height(block, [caption], width) + TIME_AXIS_HEIGHT
    figure = Figure(figsize=(width, foot + AXES_HEIGHT + HEADS_HEIGHT))
    style.headline(figure, block)
    for number, (column, count) in enumerate(zip(shown, counts, strict=True)):
        left = LEFT + number * (column_width + gap)
        axes = style.axes_at(figure, left, foot, column_width, AXES_HEIGHT)
        axes.stairs(count, edges, fill=True, color=style.BLUE, linewidth=0)
        axes.set_xlim(0.0, edges[-1])
        axes.set_ylim(0.0, 1.08 * (max(highest) if shared else highest[number]) or 1.0)
        axes.set_xlabel("inter-spike interval (ms)", labelpad=2)
        few_ticks(axes.xaxis, 5)
        few_ticks(axes.yaxis, 4)
        axes.tick_params(labelleft=number == 0 or not shared)
        if number == 0:
            axes.set_ylabel("intervals")
        top = foot + AXES_HEIGHT
        name = style.shortened(column.name, column_width, style.LABEL, bold=True)
        style.write(figure, left, top + 0.23, name, style.LABEL, weight="bold", va="baseline")
        style.write(figure, left, top + 0.07, _regularity(column), style.SMALL, va="baseline")
    if not shown:
        style.write(figure, width / 2, foot + AXES_HEIGHT / 2, "no data", style.LABEL, ha="center")
    style.footer(figure, block, [caption])
    return figure


def _regularity(column: Column) -> str:
    each = cv(column.spikes) if column.spikes.n_trials else np.zeros(0)
    defined = each[np.isfinite(each)]
    if not defined.size:
        return "too few spikes for a CV"
    spread = f" ± {defined.std(ddof=1):.2f}" if defined.size > 1 else ""
    return f"CV {defined.mean():.2f}{spread}"
