"""The first figure of a condition: stimulus, spikes of all runs, and how far apart they are."""

from __future__ import annotations

import numpy as np

from analysis.events import Events
from analysis.panels import trial_ticks
from analysis.report import plot
from analysis.report.drawn import Other, Scene
from analysis.report.markup import Content, Markup, joined, tag
from analysis.report.plot import SPAN, Axis, Key, Plot
from analysis.spikearrays import FloatArray, SpikeArrays
from analysis.statistics import Psth
from analysis.words import counted, number, percent

STIMULUS_HEIGHT, DIFFERENCE_HEIGHT, PSTH_HEIGHT = 64, 120, 70
LEAST_HEIGHT, MOST_HEIGHT = 110, 480
LEAST_DIFFERENCE = 0.1
"""Smallest range (ms) of the axis of differences: rounding errors are not to look large."""


def spikes_figure(scene: Scene) -> Markup:
    """Stimulus, raster and differences over one time axis, which can be zoomed."""
    time = _time_axis(scene)
    plots = [*_stimulus(scene, time), _raster(scene, time, numbers=not scene.others)]
    keys = [Key(scene.label, "reference", "tick", "reference")]
    if scene.others:
        plots.append(_differences(scene, time))
        keys = [Key(f"{scene.label} (reference)", "reference", "tick", "reference")]
        keys += [Key(o.label, o.class_, "tick", f"run-{o.number}") for o in scene.others]
    return _zoomable(scene, plots, keys)


def run_figure(scene: Scene, histogram: Psth, events: Events | None) -> Markup:
    """Stimulus, raster, PSTH of a single run; events are shaded."""
    time = _time_axis(scene)
    shading = [] if events is None or not len(events) else [_shade(time, events, scene.scale[0])]
    high = float(histogram.rate.max()) or 1.0
    rates = Axis(0.0, 1.06 * high, "rate (Hz)", most=3)
    area = plot.band(
        time,
        rates,
        np.repeat(histogram.edges / scene.scale[0], 2)[1:-1],
        np.zeros(2 * len(histogram.rate)),
        np.repeat(histogram.rate, 2),
        "area",
    )
    below = Plot(
        f"Rate of {scene.name} over time, averaged over trials; at most {number(high)} Hz.",
        time, rates, PSTH_HEIGHT, [*shading, area], link="time",
    )  # fmt: skip
    plots = [*_stimulus(scene, time), _raster(scene, time, numbers=False, under=shading), below]
    keys = [Key("event", "event", "band")] if shading else []
    return _zoomable(scene, plots, keys)


def _time_axis(scene: Scene) -> Axis:
    low, high = scene.window
    return Axis(low, high, f"time ({scene.scale[1]})")


def _shade(time: Axis, events: Events, scale: float) -> Markup:
    left, right = time.place(events.start / scale), time.place(events.stop / scale)
    drawn = "".join(f"M{a:.0f} 0H{b:.0f}V{SPAN}H{a:.0f}z" for a, b in zip(left, right, strict=True))
    return tag("path", d=Markup(drawn), class_="event")


def _stimulus(scene: Scene, time: Axis) -> list[Plot]:
    current = scene.reference.stimulus
    if current is None:
        return []
    every = [c for c in (current, scene.reference.total) if c is not None]
    low = min(float(c.amplitudes.min()) for c in every)
    high = max(float(c.amplitudes.max()) for c in every)
    y = Axis(*plot.padded(low, high, least=0.02), "I (nA)", most=3)
    scale = scene.scale[0]
    layers = []
    if scene.reference.total is not None:
        total = scene.reference.total
        layers.append(plot.steps(time, y, total.times / scale, total.amplitudes, "total"))
    layers.append(plot.steps(time, y, current.times / scale, current.amplitudes, "current"))
    title = (
        f"Current of {scene.name}: {number(float(current.amplitudes.min()))} to "
        f"{number(float(current.amplitudes.max()))} nA."
    )
    return [Plot(title, time, y, STIMULUS_HEIGHT, layers, link="time", numbers=False)]


# --- raster ------------------------------------------------------------------------------------


def _raster(scene: Scene, time: Axis, numbers: bool, under: list[Markup] | None = None) -> Plot:
    """A row a trial, trial 1 at the bottom. The reference is a tick as high as the row, each other
    run has a lane within it on top: where they agree, a coloured tick lies on the black one."""
    every = [scene.reference.spikes, *(other.column.spikes for other in scene.others)]
    rows = max(1, *(spikes.n_trials for spikes in every))
    height = int(np.clip(rows * (6 + 3 * len(scene.others)), LEAST_HEIGHT, MOST_HEIGHT))
    ticks = tuple(float(tick) for tick in trial_ticks(rows))
    y = Axis(0.5, rows + 0.5, scene.reference.rows_are, ticks, whole=True)
    scale = scene.scale[0]
    base = "reference" if scene.others else "reference alone"
    layers = [*(under or []), _ticks(scene.reference.spikes, time, rows, scale, (0, 1), base)]
    for other in scene.others:
        lane = ((other.number - 1) / len(scene.others), other.number / len(scene.others))
        layers.append(_ticks(other.column.spikes, time, rows, scale, lane, other.class_))
    kinds = ["raster"]
    if max(spikes.times.size for spikes in every) > 250 * rows:
        kinds.append("dense")
    if height < 2 * rows:
        kinds.append("fine")
    return Plot(
        _in_words(scene), time, y, height, layers,
        link="time", numbers=numbers, class_=" ".join(kinds),
        rows=scene.reference.rows_are,
        note="" if any(spikes.times.size for spikes in every) else "no spikes",
    )  # fmt: skip


def _ticks(
    spikes: SpikeArrays, time: Axis, rows: int, scale: float, lane: tuple[float, float], class_: str
) -> Markup:
    """The spikes of one run; lane: the part of a row that they take, from its upper end."""
    row = SPAN / rows
    room = 0.9 * row
    first = (rows - 1 - spikes.trials) * row + 0.05 * row
    top = np.rint(first + lane[0] * room)
    bottom = np.rint(first + lane[1] * room)
    return tag(
        "g", plot.vertical(time, spikes.times / scale, top, bottom, "spike"), class_=class_
    )  # fmt: skip


def _in_words(scene: Scene) -> str:
    spikes = scene.reference.spikes
    said = [
        f"Raster of {scene.name}, {counted(spikes.n_trials, scene.reference.rows_are)}.",
        f"{scene.label}: {counted(spikes.times.size, 'spike')}.",
    ]
    for other in scene.others:
        matching = other.compared.matching
        said.append(
            f"{other.label}: {counted(other.column.spikes.times.size, 'spike')}, "
            f"{percent(matching.fraction_matched)} matched, "
            f"{len(matching.missing)} missing, {len(matching.extra)} extra."
        )
    return " ".join(said)


def _caption(scene: Scene) -> Content:
    parts = []
    if scene.reference.stimulus is not None:
        parts.append("Stimulus")
        if scene.reference.total is not None:
            parts[-1] += " (grey: all that trial 1 receives, its private noise included)"
    who = scene.reference.rows_are
    if not scene.others:
        parts.append(f"spikes of every {who}, the first at the bottom")
        return _sentence(parts)
    parts.append(
        f"spikes of every {who}: the reference as ticks as high as the row, the other runs on top "
        "of it, each in a lane of its own"
    )
    parts.append("difference of each matched spike from the reference, later above 0")
    parts.append("ticks at the upper edge: extra spikes, at the lower edge: missing ones")
    parts += plot.thinning([len(o.compared.matching.offsets) for o in scene.others])
    return _sentence(parts)


def _sentence(parts: list[str]) -> str:
    whole = "; ".join(parts) + "."
    return whole[0].upper() + whole[1:]


# --- differences over time -----------------------------------------------------------------------


def _differences(scene: Scene, time: Axis) -> Plot:
    scale = scene.scale[0]
    y = difference_axis([other.compared.matching.offsets for other in scene.others])
    layers = [zero_line(y)]
    for other in scene.others:
        matching = other.compared.matching
        kept = plot.thinned(len(matching.offsets))
        # Of dots on one another the lower ones are larger.
        size = 3.2 + 1.6 * (len(scene.others) - other.number)
        size = size if len(matching.offsets) < 2000 else 2.2
        at, offsets = matching.times[kept] / scale, matching.offsets[kept]
        drawn = [plot.dots(time, y, at, offsets, other.class_, size)]
        drawn += _unmatched(other, scene, time)
        layers.append(joined(drawn))
    return Plot(_differences_in_words(scene), time, y, DIFFERENCE_HEIGHT, layers, link="time")


def _unmatched(other: Other, scene: Scene, time: Axis) -> list[Markup]:
    """Missing spikes as ticks at the lower edge, extra ones at the upper."""
    matching, scale = other.compared.matching, scene.scale[0]
    missing = scene.reference.spikes.times[matching.missing] / scale
    extra = other.column.spikes.times[matching.extra] / scale
    length = SPAN * 0.07
    drawn = []
    for times, from_, to in ((missing, SPAN - length, SPAN), (extra, 0.0, length)):
        top, bottom = np.full(times.size, from_), np.full(times.size, to)
        drawn.append(plot.vertical(time, times, top, bottom, f"unmatched {other.class_}"))
    return drawn


def difference_axis(offsets: list[FloatArray]) -> Axis:
    """The axis of differences: holds all of them, and 0."""
    every = np.concatenate([np.zeros(1), *offsets])
    low, high = plot.padded(float(every.min()), float(every.max()), LEAST_DIFFERENCE, 0.12)
    return Axis(low, high, "difference (ms)", most=4)


def zero_line(y: Axis) -> Markup:
    at = SPAN - y.place(np.zeros(1))[0]
    return tag("path", d=Markup(f"M0 {at:.0f}h{SPAN}"), class_="zero")


def _differences_in_words(scene: Scene) -> str:
    said = ["Difference of matched spikes from the reference over time."]
    for other in scene.others:
        offsets = other.compared.matching.offsets
        if offsets.size:
            said.append(
                f"{other.label}: median {number(float(np.median(offsets)))} ms, from "
                f"{number(float(offsets.min()))} to {number(float(offsets.max()))} ms."
            )
        else:
            said.append(f"{other.label}: no matched spike.")
    return " ".join(said)


# --- the zoom ----------------------------------------------------------------------------------

_BUTTONS = (
    ("in", "Zoom in", "+"),
    ("out", "Zoom out", "−"),
    ("left", "Earlier", "←"),
    ("right", "Later", "→"),
    ("reset", "Reset", "Whole run"),
)


def _zoomable(scene: Scene, plots: list[Plot], keys: list[Key]) -> Markup:
    id_, caption, unit = f"{scene.id}-spikes", _caption(scene), scene.scale[1]
    buttons = [
        tag("button", sign, type="button", data_zoom=action, aria_label=name, title=name)
        for action, name, sign in _BUTTONS
    ]
    bar = tag(
        "div",
        tag("div", *buttons, class_="buttons", role="group", aria_label="Zoom of the time axis"),
        tag("output", "", class_="cursor", aria_live="off"),
        tag("p", "", class_="status", role="status"),
        class_="tool bar",
    )
    help_ = tag(
        "p",
        "Zoom: drag across the spikes, Ctrl + wheel, the buttons, or + and − when the plot has "
        "the focus; arrow keys move, Shift + ↑ and ↓ zoom the trials, 0 or a double click shows "
        "all again.",
        class_="tool help",
        id=f"{id_}-help",
    )
    area = tag(
        "div",
        *(plot.box(one) for one in plots),
        class_="zoom",
        tabindex="0",
        role="group",
        aria_label="Plots over time; + and − zoom, arrow keys move",
        aria_describedby=f"{id_}-help",
    )
    parts = [bar, area, help_]
    return plot.figure(id_, caption, parts, keys, class_="zoomable", data_unit=unit)
