"""The f-I figure: firing rate against a swept current, with the closed form where there is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style, theory
from analysis.panels import few_ticks
from analysis.spikearrays import FloatArray
from analysis.statistics import mean_firing_rates

WIDTH, HEIGHT = 5.2, 3.6
MARKERS = "osD^vP*"


@dataclass(frozen=True)
class Series:
    """The conditions of one sweep, by level.

    levels: (n,), in the swept key's unit, ascending; mean, sd: rate over trials (n,), Hz.
    """

    name: str
    levels: FloatArray
    mean: FloatArray
    sd: FloatArray


def has_levels(block: neo.Block) -> bool:
    """Whether the block holds a sweep: at least two conditions with a level."""
    return sum("level" in segment.annotations for segment in block.segments) >= 2


def rate_series(block: neo.Block) -> list[Series]:
    """The rates of a block's swept conditions, series by series, in the block's order."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for segment in block.segments:
        if "level" not in segment.annotations or len(segment.spiketrains) == 0:
            continue
        rates = mean_firing_rates(segment)
        sd = float(rates.std(ddof=1)) if rates.size > 1 else 0.0
        name = str(segment.annotations.get("series", ""))
        level = float(segment.annotations["level"])
        found.setdefault(name, []).append((level, float(rates.mean()), sd))
    return [
        Series(name, *np.array(sorted(points)).T) for name, points in found.items()
    ]  # fmt: skip


def fi_figure(block: neo.Block) -> Figure:
    """Mean rate and its SD over trials against the level, a line for each series.

    Where the levels are currents into a leaky integrate-and-fire cell, the closed form for a
    constant current and the rheobase are drawn too.

    Raises ValueError if no condition of the block has a level.
    """
    series = rate_series(block)
    if not series:
        raise ValueError("no condition of the block has a level: there is nothing to sweep over")
    with style.figure_style():
        captions = ["Points: mean over trials; bars: ± SD over trials."]
        foot = style.footer_height(block, captions, WIDTH)
        figure = Figure(figsize=(WIDTH, HEIGHT + foot))
        style.headline(figure, block)
        axes = style.axes_at(figure, 0.62, foot + 0.48, WIDTH - 0.62 - 0.2, HEIGHT - 0.48 - 0.5)
        neuron = swept_neuron(block)
        if neuron is not None:
            _draw_theory(axes, neuron, series)
        for number, one in enumerate(series):
            _draw_series(axes, one, number)
        axes.set_xlabel("current (nA)" if levels_are_currents(block) else "level")
        axes.set_ylabel("firing rate (Hz)")
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])  # whole markers at 0 Hz
        few_ticks(axes.xaxis, 7)
        few_ticks(axes.yaxis, 6)
        legend = axes.legend(loc="lower right", handlelength=1.8, borderaxespad=0.2)
        for text in legend.get_texts():
            text.set_parse_math(False)
        style.footer(figure, block, captions)
    return figure


def _draw_series(axes: Axes, series: Series, number: int) -> None:
    axes.errorbar(
        series.levels,
        series.mean,
        series.sd,
        color=style.SERIES[number % len(style.SERIES)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=3.5,
        linewidth=0.9,
        elinewidth=0.8,
        capsize=1.8,
        label=_label(series.name or "rate"),
        zorder=3,
    )


def _label(name: str) -> str:
    """A legend entry that fits; matplotlib leaves out those that begin with '_'."""
    label = style.shortened(name, 2.4, style.SMALL)
    return f" {label}" if label.startswith("_") else label


def _draw_theory(axes: Axes, neuron: theory.LIF, series: Sequence[Series]) -> None:
    low = min(float(one.levels[0]) for one in series)
    high = max(float(one.levels[-1]) for one in series)
    rheobase = theory.rheobase(neuron)
    axes.plot(
        *closed_form(neuron, low, high),
        color=style.BLACK,
        linewidth=1.1,
        label="closed form, constant current",
        zorder=2,
    )
    if low <= rheobase <= high:
        axes.axvline(
            rheobase,
            color=style.GREY,
            linestyle=(0, (3, 2)),
            linewidth=0.9,
            label=f"rheobase {rheobase:.4g} nA",
            zorder=1,
        )


def closed_form(neuron: theory.LIF, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Currents (nA) from low to high, and the rate (Hz) of the cell under each, constant."""
    rheobase = theory.rheobase(neuron)
    # The curve rises vertically at the rheobase: points there, and evenly spaced ones.
    near = rheobase + max(high - rheobase, 0.0) * np.geomspace(1e-9, 1.0, 200)
    current = np.unique(np.concatenate([np.linspace(low, high, 400), near]))
    current = current[(current >= low) & (current <= high)]
    return current, theory.firing_rate(neuron, current)


def _described(block: neo.Block) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(block.annotations.get("experiment_text") or "{}")
    return described


def levels_are_currents(block: neo.Block) -> bool:
    """Whether each level is the amplitude or the mean of a current of its condition."""
    tables = [t for t in _described(block).get("conditions", []) if "level" in t]
    return bool(tables) and all(
        any(current.get(key) == table["level"] for current in table["currents"] for key in
            ("amplitude", "mean"))
        for table in tables
    )  # fmt: skip


def swept_neuron(block: neo.Block) -> theory.LIF | None:
    """The leaky cell whose closed form the levels can be compared with, or None."""
    table = _described(block).get("neuron")
    if not table or not levels_are_currents(block):
        return None
    try:
        return theory.lif_neuron(table["cell_type"], table["parameters"])
    except ValueError:  # another kind of neuron
        return None
