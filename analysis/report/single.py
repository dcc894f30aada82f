"""The report of one run: its figures, its numbers, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence

import neo
import numpy as np

from analysis import style
from analysis.columns import Column, columns
from analysis.panels import round_number
from analysis.raster import chosen_segments
from analysis.reliability import event_reliability
from analysis.report import plot, tables
from analysis.report.distributions import distributions_figure
from analysis.report.drawn import Scene, Source
from analysis.report.levels import levels_figure
from analysis.report.markup import Content, Markup, joined, table, tag
from analysis.report.page import page
from analysis.report.plot import Axis, Plot
from analysis.report.spikes import run_figure
from analysis.statistics import TrialStatistics, psth, summary
from analysis.words import UNDEFINED, counted, number

POTENTIAL_HEIGHT = 130


def run_report(source: Source, command: str) -> str:
    """One HTML document for one run, or for any block. command: what makes it again.

    Of more than six conditions six are drawn, at even distances; the table has all.
    """
    block = source.block
    described = columns(block, block.segments)
    drawn = columns(block, chosen_segments(block, None))
    sections: list[tuple[str, str, Content]] = [
        ("numbers", "In numbers", _numbers(described, len(drawn), levels_figure([source]))),
        *(
            (f"condition-{k}", f"Condition {column.name}", _condition(source, column, k))
            for k, column in enumerate(drawn, 1)
        ),
        ("provenance", "Where the run comes from", _provenance(source)),
        ("again", "Make it again", tag("pre", tag("code", command), tabindex="0")),
    ]
    experiment = str(block.annotations.get("experiment") or block.name or "A run")
    lead = [tag("p", _description(block), class_="sub")]
    foot = "  ·  ".join(style.provenance(block))
    return page(f"{experiment} on {source.label}", lead, sections, foot)


def _description(block: neo.Block) -> str:
    text = json.loads(block.annotations.get("experiment_text") or "{}").get("description", "")
    return str(text) or f"{counted(len(block.segments), 'condition')}."


def _numbers(described: Sequence[Column], shown: int, levels: Markup | None) -> Markup:
    head = ("condition", "trains", "spikes", "rate (Hz)", "CV", "LV", "Fano factor",
            "reliability [95 %]", "precision (ms) [95 %]",
            "Schreiber correlation [95 %]")  # fmt: skip
    rows = [_row(column) for column in described]
    note = None
    if shown < len(described):
        note = tag("p", f"{shown} of {len(described)} conditions are drawn.", class_="note")
    return joined([table("Every condition", head, rows), note, levels])


def _row(column: Column) -> list[Content]:
    if column.spikes.n_trials == 0:
        return [column.name, "0", *[UNDEFINED] * 8]
    s: TrialStatistics = summary(column.spikes)
    rate = number(s.rate_mean) + ("" if s.n_trials == 1 else f" ± {number(s.rate_sd, 2)}")
    repeated = column.repeated
    return [
        column.name, number(s.n_trials), number(s.n_spikes), rate, number(s.cv, 2),
        number(s.lv, 2), number(s.fano, 2),
        tables.estimate(s.reliability) if repeated else UNDEFINED,
        tables.estimate(s.precision) if repeated else UNDEFINED,
        tables.estimate(s.schreiber) if repeated else UNDEFINED,
    ]  # fmt: skip


def _condition(source: Source, column: Column, k: int) -> Markup:
    scene = Scene(f"condition-{k}", column.name, source.label, column)
    if column.spikes.n_trials == 0:
        return tag("p", "There is no spike train.", class_="quiet")
    histogram = psth(column.spikes, round_number(column.spikes.duration / 200))
    events = event_reliability(column.spikes).events if column.repeated else None
    parts: list[Content] = [run_figure(scene, histogram, events)]
    for heading, figure in (
        ("Potential", _potential_figure(scene)),
        ("Distributions", distributions_figure(scene)),
    ):
        if figure is not None:
            parts += [tag("h3", heading), figure]
    return joined(parts)


def _potential_figure(scene: Scene) -> Markup | None:
    """The potential of the first neuron that was recorded."""
    recorded = scene.reference.potentials
    if recorded is None or not len(recorded.trials):
        return None
    scale, unit = scene.scale
    values = np.asarray(recorded.values[0], dtype=np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    time = Axis(recorded.start / scale, recorded.stop / scale, f"time ({unit})")
    y = Axis(*plot.padded(low, high, 0.1), "v (mV)", most=4)
    times = np.linspace(time.low, time.high, len(values), endpoint=False)
    which = f"{scene.reference.rows_are} {int(recorded.trials[0]) + 1}"
    title = f"Potential of {which} of {scene.name}: {number(low, 4)} to {number(high, 4)} mV."
    trace = tag("g", plot.curve(time, y, times, values, "trace thin"), class_="reference")
    body = plot.box(Plot(title, time, y, POTENTIAL_HEIGHT, [trace]))
    return plot.figure(f"{scene.id}-potential", f"Potential of {which}.", [body])


def _provenance(source: Source) -> Markup:
    return joined([tables.run_provenance(source), tables.effective([source])])
