"""Differences against spike number, and the potentials around the first spikes that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.diagnosis import DivergenceWindow, FirstDivergence
from analysis.report import plot
from analysis.report.drawn import Other, Scene
from analysis.report.markup import Markup, joined, tag
from analysis.report.plot import SPAN, Axis, Key, Plot
from analysis.report.spikes import difference_axis, zero_line
from analysis.spikearrays import FloatArray
from analysis.words import listed, number, signed

HEIGHT, POTENTIAL_HEIGHT, CURRENT_HEIGHT, CLOSE_HEIGHT = 190, 150, 56, 130
CLOSE_UP = (0.8, 6.0)
"""Shortest and longest time (ms) that a close-up shows before and after the spikes."""


def by_number_figure(scene: Scene) -> Markup | None:
    """Difference of matched spikes against their number within the trial; None without any.

    A difference that grows along this axis is one that accumulates from spike to spike.
    """
    matched = [other for other in scene.others if other.compared.matching.offsets.size]
    if not matched:
        return None
    highest = max(int(other.compared.matching.ordinals.max()) for other in matched)
    x = Axis(0.4, highest + 0.6, "spike number", most=10, whole=True)
    y = difference_axis([other.compared.matching.offsets for other in matched])
    layers = [zero_line(y), *(_by_number(other, len(matched), x, y) for other in matched)]
    title = " ".join(
        ["Difference of matched spikes from the reference, against spike number.",
         *(_trend(other) for other in matched)]
    )  # fmt: skip
    keys = [Key(o.label, o.class_, "line", f"run-{o.number}") for o in matched]
    caption = (
        "Difference against the number of the spike in its trial: each matched spike, the median "
        "over trials (line), and between which values 90 % of them lie (band)."
    )
    for words in plot.thinning([len(other.compared.matching.offsets) for other in matched]):
        caption += f" {words[0].upper()}{words[1:]}."
    body = plot.box(Plot(title, x, y, HEIGHT, layers))
    return plot.figure(f"{scene.id}-numbers", caption, [body], keys)


def _by_number(other: Other, runs: int, x: Axis, y: Axis) -> Markup:
    matching = other.compared.matching
    ordinals, median, low, high = (np.asarray(a, float) for a in matching.offset_by_ordinal())
    kept = plot.thinned(len(matching.offsets))
    # The dots of the runs stand side by side within the place of their number.
    aside = 0.5 * ((other.number - 0.5) / max(runs, other.number) - 0.5)
    places = np.asarray(matching.ordinals[kept] + aside, dtype=np.float64)
    return tag(
        "g",
        plot.band(x, y, ordinals, low, high, "spread"),
        plot.dots(x, y, places, matching.offsets[kept], "faint"),
        plot.curve(x, y, ordinals, median, "median"),
        class_=other.class_,
    )


def _trend(other: Other) -> str:
    ordinals, median, _, _ = other.compared.matching.offset_by_ordinal()
    return (
        f"{other.label}: median {signed(float(median[0]))} ms at spike {int(ordinals[0])}, "
        f"{signed(float(median[-1]))} ms at spike {int(ordinals[-1])}."
    )


# --- the first divergence ------------------------------------------------------------------------


def divergence_figure(scene: Scene) -> Markup | None:
    """The potentials of both sides around the first spike that differs, a panel for each run.

    None where nothing differs, or where no potential around it is known.
    """
    alike: list[tuple[FirstDivergence, list[Other]]] = []
    for other in scene.others:
        first = other.compared.diagnosis.first
        if first is None or first.window is None or not _has_potentials(first.window):
            continue
        group = next((others for found, others in alike if _same(found, first)), None)
        if group is None:
            alike.append((first, [other]))
        else:
            group.append(other)
    drawn = [_panel(scene, others, first, first.window) for first, others in alike if first.window]
    if not drawn:
        return None
    caption = (
        "Potentials around the first spike that differs, of the reference and of the other run; "
        "dashed: threshold; vertical lines: the spikes. Below: the current; then the same "
        "potentials close up, where they "
        "come to the threshold."
    )
    keys = [Key(f"{scene.label} (reference)", "reference", "line")]
    keys += [Key(_names(others), others[0].class_, "line") for _, others in alike]
    keys.append(Key("threshold", "threshold", "dash"))
    panels = tag("div", *drawn, class_="panels")
    return plot.figure(f"{scene.id}-divergence", caption, [panels], keys)


def _has_potentials(window: DivergenceWindow) -> bool:
    """Whether there is a line to draw on either side."""
    sides = (window.v_reference, window.v_other)
    return len(window.t) > 1 and any(np.isfinite(v).sum() > 1 for v in sides)


def _same(one: FirstDivergence, other: FirstDivergence) -> bool:
    """Whether two runs part from the reference in the same way, potentials included."""
    spikes = [(f.trial, f.number, f.time_reference, f.time_other) for f in (one, other)]
    if one.window is None or other.window is None or spikes[0] != spikes[1]:
        return False
    sides = (
        (one.window.v_reference, one.window.v_other),
        (
            other.window.v_reference,
            other.window.v_other,
        ),
    )
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=0.0, atol=1e-6, equal_nan=True)
        for a, b in zip(*sides, strict=True)
    )


def _names(others: Sequence[Other]) -> str:
    return listed([other.label for other in others])


def _panel(
    scene: Scene, others: Sequence[Other], first: FirstDivergence, window: DivergenceWindow
) -> Markup:
    row = f"{scene.reference.rows_are} {first.trial + 1}, spike {first.number}"
    source = {
        "recorded": "Potentials as recorded.",
        "computed": "Potentials computed from the experiment.",
    }
    values = _values(scene, _names(others), first)
    note = " ".join(filter(None, [values, source.get(first.v_source, "")]))
    return tag(
        "div",
        tag("p", f"{_names(others)}: {row}", class_="panel-name"),
        *(plot.box(one) for one in _divergence_plots(values, others[0], first, window)),
        tag("p", note, class_="panel-note"),
    )


def _divergence_plots(
    title: str, other: Other, first: FirstDivergence, window: DivergenceWindow
) -> list[Plot]:
    """The potentials, the current below them, and the same potentials close up."""
    time = Axis(float(window.t[0]), float(window.t[-1]), "time (ms)", most=5)
    seen = np.concatenate([window.v_reference, window.v_other])
    y = _potential_axis(first, seen)
    layers = _potential_layers(other, first, window, time, y)
    numbered = window.current is None
    plots = [Plot(title, time, y, POTENTIAL_HEIGHT, layers, numbers=numbered)]
    if window.current is not None:
        low, high = float(np.nanmin(window.current)), float(np.nanmax(window.current))
        below = Axis(*plot.padded(low, high, 0.02), "I (nA)", most=2)
        line = plot.curve(time, below, window.t, window.current, "current")
        title = f"Current around it: {number(low)} to {number(high)} nA."
        plots.append(Plot(title, time, below, CURRENT_HEIGHT, [line]))
    close = _close_up(other, first, window)
    return plots if close is None else [*plots, close]


def _potential_axis(first: FirstDivergence, values: FloatArray) -> Axis:
    """An axis that holds these values and the threshold."""
    known = values[np.isfinite(values)]
    if first.v_thresh is not None:
        known = np.append(known, first.v_thresh)
    return Axis(*plot.padded(float(known.min()), float(known.max()), 0.1, 0.1), "v (mV)", most=4)


def _potential_layers(
    other: Other, first: FirstDivergence, window: DivergenceWindow, time: Axis, y: Axis
) -> list[Markup]:
    layers = []
    if first.v_thresh is not None:
        at = SPAN - y.place(np.array([first.v_thresh]))[0]
        layers.append(tag("path", d=Markup(f"M0 {at:.0f}h{SPAN}"), class_="threshold"))
    sides = (
        (window.v_reference, first.time_reference, "reference"),
        (window.v_other, first.time_other, other.class_),
    )
    for trace, when, class_ in sides:
        lines = [plot.curve(time, y, window.t, trace, "trace")]
        if when is not None and time.low <= when <= time.high:
            whole = np.zeros(1), np.full(1, float(SPAN))
            lines.append(plot.vertical(time, np.array([when]), *whole, "moment"))
        layers.append(tag("g", joined(lines), class_=class_))
    return layers


def _close_up(other: Other, first: FirstDivergence, window: DivergenceWindow) -> Plot | None:
    """The potentials as they come to the threshold, where a difference of µV decides."""
    times = [t for t in (first.time_reference, first.time_other) if t is not None]
    aside = float(np.clip(6 * (max(times) - min(times)), *CLOSE_UP)) if len(times) > 1 else 3.0
    time = Axis(min(times) - aside, max(times) + aside, "time (ms)", most=5)
    before = (window.t >= time.low) & (window.t < min(times) - 1e-9)
    seen = np.concatenate([window.v_reference[before], window.v_other[before]])
    if not np.isfinite(seen).any():
        return None
    y = _potential_axis(first, seen)
    inside = (window.t >= time.low - aside) & (window.t <= time.high + aside)
    near = replace(
        window,
        t=window.t[inside],
        v_reference=window.v_reference[inside],
        v_other=window.v_other[inside],
    )
    layers = _potential_layers(other, first, near, time, y)
    title = f"The same potentials from {number(time.low, 6)} to {number(time.high, 6)} ms."
    return Plot(title, time, y, CLOSE_HEIGHT, layers)


def _values(scene: Scene, names: str, first: FirstDivergence) -> str:
    """The numbers of the divergence in words."""
    said = [f"{scene.label}: {_at(first.time_reference)}, {names}: {_at(first.time_other)}."]
    if first.v_reference is not None and first.v_other is not None:
        said.append(
            f"v there {number(first.v_reference, 6)} and {number(first.v_other, 6)} mV"
            + ("." if first.v_thresh is None else f", threshold {number(first.v_thresh, 6)} mV.")
        )
    if first.distance_to_threshold is not None:
        said.append(f"Distance to threshold {number(first.distance_to_threshold)} mV.")
    return " ".join(said)


def _at(time: float | None) -> str:
    return "no spike" if time is None else f"spike at {number(time, 7)} ms"
