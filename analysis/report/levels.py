"""Rates against a swept level, of all runs over one another."""

from __future__ import annotations

from collections.abc import Sequence

import neo

from analysis.fi_curve import (
    Series,
    closed_form,
    has_levels,
    levels_are_currents,
    rate_series,
    swept_neuron,
)
from analysis.report import plot
from analysis.report.drawn import Source
from analysis.report.markup import Markup, tag
from analysis.report.plot import Axis, Key, Plot
from analysis.words import number

HEIGHT = 210


def levels_figure(sources: Sequence[Source]) -> Markup | None:
    """A panel for each series of the first run; None where that holds no sweep."""
    reference = sources[0].block
    if not has_levels(reference):
        return None
    every = [{one.name: one for one in rate_series(source.block)} for source in sources]
    panels = []
    for name in every[0]:
        runs = [(k, found[name]) for k, found in enumerate(every) if name in found]
        panels.append((name or "rate", _panel(reference, [s.label for s in sources], runs)))
    role = " (reference)" if len(sources) > 1 else ""
    keys = [Key(f"{sources[0].label}{role}", "reference", "line", "reference")]
    keys += [
        Key(source.label, f"run run-{k}", "line", f"run-{k}")
        for k, source in enumerate(sources)
        if k
    ]
    caption = "Rate against the level: mean over trials."
    if swept_neuron(reference) is not None:
        keys.append(Key("closed form, constant current", "threshold", "dash"))
    return plot.figure("levels", caption, [plot.panels(panels)], keys)


def _panel(block: neo.Block, labels: Sequence[str], runs: Sequence[tuple[int, Series]]) -> Plot:
    low = min(float(one.levels[0]) for _, one in runs)
    high = max(float(one.levels[-1]) for _, one in runs)
    most = max(float(one.mean.max()) for _, one in runs)
    x = Axis(*plot.padded(low, high), "current (nA)" if levels_are_currents(block) else "level")
    y = Axis(0.0, 1.06 * most or 1.0, "rate (Hz)", most=5)
    layers = []
    neuron = swept_neuron(block)
    if neuron is not None:
        layers.append(plot.curve(x, y, *closed_form(neuron, low, high), "threshold"))
    said = []
    for place, one in runs:
        class_ = f"run run-{place}" if place else "reference"
        lines = [plot.curve(x, y, one.levels, one.mean, "trace")]
        lines.append(plot.dots(x, y, one.levels, one.mean, "", 6.5 if place == 0 else 4.5))
        layers.append(tag("g", *lines, class_=class_))
        said.append(f"{labels[place]} up to {number(float(one.mean.max()))} Hz")
    title = f"Rate against the level, from {number(low)} to {number(high)}: {', '.join(said)}."
    return Plot(title, x, y, HEIGHT, layers)
