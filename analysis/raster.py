"""The raster figure: stimulus, trials, PSTH, potentials over one time axis; a column a condition.

With the ready experiment `mainen_sejnowski` it shows what Figure 1 of Mainen & Sejnowski (1995,
Science 268:1503) shows: under a constant current the spike times of the trials drift apart, under
one fluctuating current they stay aligned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import panels as draw
from analysis import style
from analysis.columns import Column, columns
from analysis.reliability import EventReliability, event_reliability
from analysis.resampling import Estimate
from analysis.spikearrays import SpikeArrays
from analysis.statistics import Psth, cv, mean_firing_rates, psth

MAX_COLUMNS = 6
"""Columns that can be read side by side. Of more conditions as many are shown, evenly chosen."""

# Inches.
LEFT, RIGHT, COLOUR_BAR = 0.7, 0.22, 0.64
NARROW_GAP, WIDE_GAP, ROW_GAP = 0.32, 0.54, 0.1
COLUMN_WIDTHS = {1: 4.6, 2: 2.8, 3: 2.4, 4: 2.1, 5: 1.9, 6: 1.8}
STIMULUS_HEIGHT, PSTH_HEIGHT, POTENTIALS_HEIGHT = 0.8, 0.8, 1.25
HEAD_HEIGHT, NAME_HEIGHT, SUMMARY_LINE, TIME_AXIS_HEIGHT = 0.36, 0.24, 0.13, 0.44


@dataclass(frozen=True)
class _Panel:
    """A column with what was measured of it."""

    column: Column
    psth: Psth | None
    events: EventReliability | None


@dataclass(frozen=True)
class _Row:
    """A row of axes: what its y axis is called, its height (inches), whether columns share y."""

    label: str
    height: float
    shared: bool
    paint: Callable[[Axes, _Panel, float], Any]


def raster_figure(
    block: neo.Block,
    conditions: Sequence[str] | None = None,
    bin_size: float | None = None,
) -> Figure:
    """Draw the raster of a block.

    conditions: the names of the segments to draw, in this order; None for all of them, or, where
    there are more than MAX_COLUMNS, as many of them at even distances (a caption says so).
    bin_size: of the PSTH, ms; None for about a two-hundredth of the run.

    Trials are numbered from 1 at the bottom. Orange stretches are events; reliability and
    precision, with their bootstrap intervals, stand above each column. Trains that are not trials
    of one stimulus, as those of a user's own network, get the CV instead. The time axis is
    in s for runs of 10 s and more, else in ms.

    Raises ValueError for a condition that the block does not have, naming those it has.
    """
    segments = chosen_segments(block, conditions)
    panels = [_measured(column, bin_size) for column in columns(block, segments)]
    captions = _captions(panels)
    if conditions is None and len(segments) < len(block.segments):
        captions.insert(0, f"{len(segments)} of {len(block.segments)} conditions are shown.")
    with style.figure_style():
        return _drawn(block, panels, captions)


def chosen_segments(block: neo.Block, conditions: Sequence[str] | None) -> list[neo.Segment]:
    """The segments of these names; None: all, or MAX_COLUMNS of them at even distances.

    Raises ValueError for a name that no segment has.
    """
    segments = list(block.segments)
    if conditions is None:
        if len(segments) <= MAX_COLUMNS:
            return segments
        places = np.linspace(0, len(segments) - 1, MAX_COLUMNS).round().astype(int)
        return [segments[place] for place in places]
    by_name = {str(segment.name): segment for segment in segments}
    for name in conditions:
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise ValueError(f"condition {name!r} is not in the block; it has: {known}")
    return [by_name[name] for name in conditions]


# --- measuring -------------------------------------------------------------------------------


def _measured(column: Column, bin_size: float | None) -> _Panel:
    spikes = column.spikes
    if spikes.n_trials == 0:
        return _Panel(column, None, None)
    histogram = psth(spikes, bin_size or draw.round_number(spikes.duration / 200))
    return _Panel(column, histogram, event_reliability(spikes) if column.repeated else None)


def _captions(panels: list[_Panel]) -> list[str]:
    captions = []
    if any(panel.events is not None and len(panel.events.events) for panel in panels):
        captions.append(
            "Orange: events, where the smoothed PSTH is above chance. Reliability: fraction of "
            "the spikes that fall into events; precision: mean SD of spike times within an event; "
            "in brackets: 95 % bootstrap intervals."
        )
    if any(panel.column.total is not None for panel in panels):
        captions.append("Grey current: all that trial 1 receives, its private noise included.")
    fewer = [
        f"{len(panel.column.potentials.trials)} of {panel.column.spikes.n_trials}"
        for panel in panels
        if panel.column.potentials is not None
        and panel.column.rows_are != "spike train"
        and len(panel.column.potentials.trials) < panel.column.spikes.n_trials
    ]
    if fewer:
        rows_are = panels[0].column.rows_are
        captions.append(f"Potentials: {' and '.join(dict.fromkeys(fewer))} {rows_are}s.")
    if any(panel.column.native for panel in panels):
        captions.append("Grey band: mean ± SD of the simulator's own noise, new in each trial.")
    return captions


def _rate(spikes: SpikeArrays) -> str:
    if spikes.n_trials == 0:
        return ""
    return f"{float(np.mean(mean_firing_rates(spikes))):.3g} Hz"


def _summary(panel: _Panel) -> list[str]:
    """The lines above a column."""
    if panel.events is not None:
        reliability = _estimate("reliability", panel.events.reliability, "")
        precision = _estimate("precision", panel.events.precision, " ms")
        if panel.column.spikes.n_trials == 1:
            return ["one trial: reliability undefined", ""]
        return [reliability or "no spikes", precision or "no events: precision undefined"]
    if panel.column.spikes.times.size == 0:
        return []
    each = cv(panel.column.spikes)
    defined = each[np.isfinite(each)]
    return [f"mean CV of intervals {defined.mean():.2f}"] if defined.size else []


def _estimate(name: str, estimate: Estimate, unit: str) -> str:
    if not math.isfinite(estimate.value):
        return ""
    text = f"{name} {estimate.value:.2f}{unit}"
    if math.isfinite(estimate.low):
        text += f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return text


# --- drawing ---------------------------------------------------------------------------------


def _drawn(block: neo.Block, panels: list[_Panel], captions: list[str]) -> Figure:
    rows = _rows(panels)
    n = max(len(panels), 1)
    column_width = COLUMN_WIDTHS[min(n, MAX_COLUMNS)]
    gap = NARROW_GAP if all(row.shared for row in rows) else WIDE_GAP
    heat = any(panel.column.potentials for panel in panels)
    width = LEFT + n * column_width + (n - 1) * gap + (COLOUR_BAR if heat else RIGHT)
    foot = style.footer_height(block, captions, width) + TIME_AXIS_HEIGHT
    body = sum(row.height for row in rows) + ROW_GAP * max(len(rows) - 1, 0)
    top = foot + max(body, 1.0)
    summaries = [_summary(panel) for panel in panels]
    head = NAME_HEIGHT + SUMMARY_LINE * max((len(lines) for lines in summaries), default=0)
    figure = Figure(figsize=(width, top + head + HEAD_HEIGHT))
    style.headline(figure, block)
    if not panels:
        style.write(figure, width / 2, top - 0.5, "no data", style.LABEL, ha="center")
    grid = []
    for number, (panel, lines) in enumerate(zip(panels, summaries, strict=True)):
        left = LEFT + number * (column_width + gap)
        _write_head(figure, panel.column, lines, left, top + head, column_width)
        grid.append(_column_axes(figure, rows, panel, left, top, column_width))
    _finish_rows(rows, grid)
    if heat:
        _colour_bar(figure, grid[-1][-1], [axes[-1] for axes in grid])
    style.footer(figure, block, captions)
    return figure


def _rows(panels: list[_Panel]) -> list[_Row]:
    """The rows that at least one column has something to show in."""
    if not panels:
        return []
    rows = []
    shown = [panel.column for panel in panels]
    if any(column.stimulus is not None for column in shown):
        spans = [draw.stimulus_span(column) for column in shown]
        rows.append(_Row("current (nA)", STIMULUS_HEIGHT, draw.comparable(spans), _paint_stimulus))
    counts = {column.spikes.n_trials for column in shown}
    height = min(max(0.5 + 0.058 * max(counts), 0.75), 2.6)
    label = shown[0].rows_are
    rows.append(_Row(label, height, len(counts) == 1, _paint_trials))
    rows.append(_Row("PSTH (Hz)", PSTH_HEIGHT, True, _paint_psth))
    recorded = [column.potentials for column in shown if column.potentials is not None]
    if recorded:
        limits = draw.potential_limits([found.values for found in recorded])
        same = len({tuple(found.trials.tolist()) for found in recorded}) == 1
        height = min(0.3 + 0.3 * max(len(found.trials) for found in recorded), POTENTIALS_HEIGHT)
        whose = "channel" if label == "spike train" else label
        rows.append(_Row(whose, height, same, _potentials_painter(limits)))
    return rows


def _paint_stimulus(axes: Axes, panel: _Panel, scale: float) -> None:
    draw.stimulus(axes, panel.column, scale)


def _paint_trials(axes: Axes, panel: _Panel, scale: float) -> None:
    _shade_events(axes, panel, scale)
    draw.trials(axes, panel.column.spikes, scale)


def _paint_psth(axes: Axes, panel: _Panel, scale: float) -> None:
    _shade_events(axes, panel, scale)
    draw.psth(axes, panel.psth, scale)


def _potentials_painter(limits: tuple[float, float]) -> Callable[[Axes, _Panel, float], None]:
    def paint(axes: Axes, panel: _Panel, scale: float) -> None:
        draw.potentials(axes, panel.column, scale, limits)

    return paint


def _shade_events(axes: Axes, panel: _Panel, scale: float) -> None:
    if panel.events is not None:
        draw.shade(axes, panel.events.events, scale)


def _write_head(
    figure: Figure, column: Column, lines: list[str], left: float, top: float, width: float
) -> None:
    """Name, rate, and the summary's lines, from `top` down."""
    rate = _rate(column.spikes)
    room = width - style.text_width(rate, style.SMALL) - 0.1
    name = style.shortened(column.name, room, style.LABEL, bold=True)
    top -= 0.12
    style.write(figure, left, top, name, style.LABEL, weight="bold", va="baseline")
    style.write(figure, left + width, top, rate, style.SMALL, va="baseline", ha="right")
    for number, line in enumerate(lines, 1):
        place = top - SUMMARY_LINE * number - 0.01
        style.write(figure, left, place, line, style.SMALL, va="baseline")


def _column_axes(
    figure: Figure, rows: list[_Row], panel: _Panel, left: float, top: float, width: float
) -> list[Axes]:
    """The axes of one column, from the top down, each drawn."""
    spikes = panel.column.spikes
    scale, unit = draw.time_unit(spikes.t_stop)
    made: list[Axes] = []
    for row in rows:
        top -= row.height
        axes = style.axes_at(figure, left, top, width, row.height)
        top -= ROW_GAP
        row.paint(axes, panel, scale)
        if made:
            axes.sharex(made[0])
        axes.tick_params(labelbottom=False)
        made.append(axes)
    made[0].set_xlim(spikes.t_start / scale, spikes.t_stop / scale)
    made[-1].tick_params(labelbottom=True)
    made[-1].set_xlabel(f"time ({unit})", labelpad=2)
    draw.few_ticks(made[0].xaxis, 5)
    return made


def _finish_rows(rows: list[_Row], grid: list[list[Axes]]) -> None:
    """One y range and one set of labels where the columns of a row share it."""
    for number, row in enumerate(rows):
        line = [axes[number] for axes in grid]
        line[0].set_ylabel(row.label)
        width = line[0].bbox.width / line[0].figure.dpi
        line[0].yaxis.set_label_coords(-0.46 / width, 0.5)
        if row.paint in (_paint_stimulus, _paint_psth):
            lows, highs = zip(*(axes.get_ylim() for axes in line), strict=True)
            for axes in line:
                if row.shared:
                    axes.set_ylim(min(lows), max(highs))
                draw.few_ticks(axes.yaxis, 4)
        for axes in line[1:]:
            axes.tick_params(labelleft=not row.shared)


def _colour_bar(figure: Figure, last: Axes, line: list[Axes]) -> None:
    image = next(axes.images[0] for axes in line if axes.images)
    box, (width, height) = last.get_position(), figure.get_size_inches()
    axes = style.axes_at(figure, box.x1 * width + 0.09, box.y0 * height, 0.09, box.height * height)
    bar = figure.colorbar(image, cax=axes)
    bar.outline.set_linewidth(0.5)
    axes.set_title("v (mV)", loc="left", pad=4.0, fontsize=style.LABEL)
    draw.few_ticks(axes.yaxis, 4)
