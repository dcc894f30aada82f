"""Distributions over trials of both sides, as cumulative curves: no bins, nothing hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.populations import Sample, population_samples
from analysis.report import plot
from analysis.report.drawn import Scene
from analysis.report.markup import Markup, tag
from analysis.report.plot import Axis, Key, Plot
from analysis.spikearrays import FloatArray, SpikeArrays
from analysis.statistics import isi
from analysis.words import number

HEIGHT = 130
MAX_POINTS = 2000
"""Points of one curve; of more values that many quantiles are drawn."""

NAMES = {
    "rate": "rate of a trial",
    "CV": "CV of a trial's intervals",
    "LV": "LV of a trial's intervals",
    "correlation": "correlation of two trials",
}
"""Quantity -> what its values are of."""


def distributions_figure(scene: Scene) -> Markup | None:
    """A panel for each measure that has at least two values; None if none has."""
    sides = [_samples(scene.reference.spikes)]
    sides += [_samples(other.column.spikes) for other in scene.others]
    shown = []
    for quantity in zip(*sides, strict=True):
        if max(sample.values.size for sample in quantity) >= 2:
            name = NAMES.get(quantity[0].name, quantity[0].name)
            shown.append((name[0].upper() + name[1:], _panel(scene, name, quantity)))
    if not shown:
        return None
    keys = []
    if scene.others:
        keys = [Key(f"{scene.label} (reference)", "reference", "line", "reference")]
        keys += [Key(o.label, o.class_, "line", f"run-{o.number}") for o in scene.others]
    caption = "Cumulative distributions: the fraction of values up to each point of the axis."
    return plot.figure(f"{scene.id}-distributions", caption, [plot.panels(shown)], keys)


def _samples(spikes: SpikeArrays) -> list[Sample]:
    """The quantities of one side, sorted, without undefined values."""
    if spikes.n_trials == 0:
        return []
    rate, *others = population_samples(spikes)
    intervals = Sample("interval", "ms", isi(spikes).durations)
    return [
        replace(sample, values=np.sort(sample.values[np.isfinite(sample.values)]))
        for sample in (rate, intervals, *others)
    ]


def _panel(scene: Scene, name: str, quantity: Sequence[Sample]) -> Plot:
    samples = [sample.values for sample in quantity]
    unit = f" ({quantity[0].unit})" if quantity[0].unit else ""
    label = f"{quantity[0].name}{unit}"
    every = np.concatenate(samples)
    least = 1e-3 * max(1.0, float(np.abs(every).max()))
    x = Axis(*plot.padded(float(every.min()), float(every.max()), least), label, most=4)
    y = Axis(0.0, 1.0, "fraction", (0.0, 0.5, 1.0))
    alone = "" if scene.others else " alone"
    classes = [f"reference{alone}", *(other.class_ for other in scene.others)]
    layers = [
        tag("g", _cumulative(x, y, sample), class_=class_)
        for sample, class_ in zip(samples, classes, strict=True)
        if sample.size
    ]
    labels = [scene.label, *(other.label for other in scene.others)]
    medians = ", ".join(
        f"{one} {number(float(np.median(sample))) if sample.size else 'no values'}"
        for one, sample in zip(labels, samples, strict=True)
    )
    title = f"Cumulative distribution of the {name}; medians: {medians}."
    return Plot(title, x, y, HEIGHT, layers)


def _cumulative(x: Axis, y: Axis, values: FloatArray) -> Markup:
    fractions = np.arange(1, values.size + 1) / values.size
    if values.size > MAX_POINTS:
        chosen = np.linspace(0, values.size - 1, MAX_POINTS).round().astype(np.int64)
        values, fractions = values[chosen], fractions[chosen]
    # From the lower edge of the axis to its upper one.
    steps_at = np.concatenate([[x.low], values, [x.high]])
    heights = np.concatenate([[0.0], fractions, [1.0]])
    return plot.steps(x, y, steps_at, heights, "trace")
