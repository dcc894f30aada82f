"""The report of a comparison: the verdict in words first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import neo
import numpy as np

from analysis.columns import Column, columns
from analysis.compare import Comparison, ConditionComparison
from analysis.pairing import named_segments
from analysis.report import tables
from analysis.report.differences import by_number_figure, divergence_figure
from analysis.report.distributions import distributions_figure
from analysis.report.drawn import Other, Scene, Source
from analysis.report.levels import levels_figure
from analysis.report.markup import Content, Markup, joined, tag
from analysis.report.page import page
from analysis.report.spikes import spikes_figure
from analysis.spikearrays import SpikeArrays
from analysis.words import counted, listed

MAX_SCENES = 8
"""Conditions that get figures: those that failed, then others at even distances."""


def comparison_report(
    sources: Sequence[Source], comparisons: Sequence[Comparison], command: str
) -> str:
    """One HTML document for one or more runs compared with one reference.

    sources: the reference, then the other runs. comparisons: of each other run with the reference,
    in the same order. command: what makes the report again, as typed into a shell.

    Raises ValueError if the numbers of the two do not agree, or two sources share a label.
    """
    if len(sources) != len(comparisons) + 1 or not comparisons:
        raise ValueError(
            f"{len(sources)} sources and {len(comparisons)} comparisons; there must be one "
            "source more, and at least one comparison"
        )
    labels = [source.label for source in sources]
    if len(set(labels)) < len(labels):
        raise ValueError(f"the labels {labels} must all differ")
    scenes, left_out = _scenes(sources, comparisons)
    sections: list[tuple[str, str, Content]] = [
        ("verdict", "Verdict", _verdict(sources, comparisons, left_out)),
        *((scene.id, f"Condition {scene.name}", _scene(scene)) for scene in scenes),
        ("provenance", "Where the runs come from", _provenance(sources, comparisons)),
        ("again", "Make it again", _again(command)),
    ]
    name = comparisons[0].reference.experiment or "Comparison"
    title = f"{name}: {listed(labels[1:])} against {labels[0]}"
    return page(title, [_lead(comparisons)], sections, _foot(sources, comparisons))


def _lead(comparisons: Sequence[Comparison]) -> Markup:
    passed = sum(comparison.passed for comparison in comparisons)
    n = len(comparisons)
    if passed == n:
        said = f"{counted(n, 'run')} compared with the reference, and no verdict failed."
    else:
        said = f"{n - passed} of {counted(n, 'run')} compared with the reference failed."
    return tag("p", said, class_="sub")


def _verdict(sources: Sequence[Source], comparisons: Sequence[Comparison], left_out: int) -> Markup:
    said: dict[Markup, list[int]] = {}
    for number, comparison in enumerate(comparisons, 1):
        sentence = tag("p", _in_a_sentence(comparison))
        card = joined([sentence, tables.findings(comparison.diagnosis)])
        said.setdefault(card, []).append(number)
    cards = []
    for card, numbers in said.items():
        names = listed([sources[number].label for number in numbers])
        verdict = tables.mark(comparisons[numbers[0] - 1].passed)
        own = f"run-{numbers[0]}" if len(numbers) == 1 else None
        cards.append(tag("li", tag("h3", names, verdict), card, class_=own))
    note = None
    if left_out:
        note = tag("p", f"{counted(left_out, 'condition')} are in the table only.", class_="note")
    drawn = levels_figure(sources)
    return joined(
        [tag("ul", *cards, class_="verdicts"), drawn, tables.overview(sources, comparisons), note]
    )


def _in_a_sentence(comparison: Comparison) -> str:
    failed = [condition.name for condition in comparison.conditions if not condition.passed]
    n = len(comparison.conditions)
    if failed:
        which = listed(failed) if len(failed) <= MAX_SCENES else "see the table"
        said = f"{len(failed)} of {counted(n, 'condition')} failed: {which}."
    else:
        said = {1: "Its condition passed.", 2: "Both conditions passed."}.get(n, "")
        said = said or f"All {n} conditions passed."
    if comparison.unpaired:
        said += f" Conditions that this run does not have: {listed(list(comparison.unpaired))}."
    return said


# --- the conditions ------------------------------------------------------------------------------


def _scenes(
    sources: Sequence[Source], comparisons: Sequence[Comparison]
) -> tuple[list[Scene], int]:
    """The conditions that are drawn, in the reference's order, and how many are not."""
    names = list(dict.fromkeys(c.reference_name for one in comparisons for c in one.conditions))
    failed = {c.reference_name for one in comparisons for c in one.conditions if not c.passed}
    rest = [name for name in names if name not in failed]
    room = MAX_SCENES - len(failed)
    if 0 < room < len(rest):
        rest = [rest[k] for k in np.linspace(0, len(rest) - 1, room).round().astype(int)]
    chosen = [*(name for name in names if name in failed), *rest][:MAX_SCENES]
    scenes = [
        _made(name, number, sources, comparisons)
        for number, name in enumerate(names, 1)
        if name in chosen
    ]
    return scenes, len(names) - len(scenes)


def _made(
    name: str, number: int, sources: Sequence[Source], comparisons: Sequence[Comparison]
) -> Scene:
    others: list[Other] = []
    references: list[ConditionComparison] = []
    for place, (source, comparison) in enumerate(zip(sources[1:], comparisons, strict=True), 1):
        compared = tables.same_condition(comparison, name)
        if compared is None:
            continue
        side = compared.pair.other
        drawn = replace(_column(source.block, side.name), spikes=side.spikes)
        others.append(Other(place, source.label, drawn, compared))
        references.append(compared)
    # A run with fewer trials was compared with the first ones of the reference only; the spikes
    # are sorted by trial, so that places in the shorter list are places in the longer one too.
    longest = max((c.pair.reference.spikes for c in references), key=lambda s: s.n_trials)
    reference = replace(_column(sources[0].block, name), spikes=longest)
    shown = references[0].name
    return Scene(f"condition-{number}", shown, sources[0].label, reference, tuple(others))


def _column(block: neo.Block, name: str) -> Column:
    """The segment that a comparison calls by this name."""
    return columns(block, [named_segments(block)[name]])[0]


def _scene(scene: Scene) -> Markup:
    parts: list[Content] = [tag("ul", *_verdicts(scene), class_="findings"), _twins(scene)]
    for heading, figure in (
        ("Spikes", spikes_figure(scene)),
        ("Difference from spike to spike", by_number_figure(scene)),
        ("The first difference", divergence_figure(scene)),
        ("Distributions", distributions_figure(scene)),
    ):
        if figure is not None:
            parts += [tag("h3", heading), figure]
    parts += [tables.tests(scene), tag("h3", "Measures"), tables.measures(scene)]
    return joined(parts)


def _verdicts(scene: Scene) -> list[Markup]:
    """What is said of the runs; what is said of several of them, once."""
    said: dict[Markup, list[Other]] = {}
    for other in scene.others:
        c = other.compared
        verdict = joined([tables.mark(c.passed), f": {c.verdict}."])
        said.setdefault(joined([verdict, tables.findings(c.diagnosis)]), []).append(other)
    return [
        tag(
            "li",
            tag("strong", listed([other.label for other in others])),
            " ",
            verdict,
            _reasons(others),
        )
        for verdict, others in said.items()
    ]


def _reasons(others: Sequence[Other]) -> Markup:
    """Where the policies come from, for those who ask."""
    reasons = dict.fromkeys(f"{o.compared.policy}: {o.compared.policy_reason}." for o in others)
    lines = [tag("p", reason, class_="quiet") for reason in reasons]
    return tag("details", tag("summary", "Why this policy"), *lines)


def _twins(scene: Scene) -> Markup | None:
    """Which runs have the very same spikes, so that their marks cannot be told apart."""
    groups: list[list[Other]] = []
    for other in scene.others:
        alike = (g for g in groups if _same_spikes(g[0].column.spikes, other.column.spikes))
        found = next(alike, None)
        if found is None:
            groups.append([other])
        else:
            found.append(other)
    said = [
        f"{listed([other.label for other in group])} have the very same spikes in this condition."
        for group in groups
        if len(group) > 1
    ]
    return tag("p", " ".join(said), class_="note") if said else None


def _same_spikes(first: SpikeArrays, second: SpikeArrays) -> bool:
    return (
        first.times.size == second.times.size
        and np.array_equal(first.trials, second.trials)
        and bool(np.allclose(first.times, second.times, rtol=0.0, atol=1e-9))
    )


# --- the end -------------------------------------------------------------------------------------


def _provenance(sources: Sequence[Source], comparisons: Sequence[Comparison]) -> Markup:
    return joined([tables.provenance(sources, comparisons), tables.effective(sources)])


def _again(command: str) -> Markup:
    return joined(
        [
            tag("p", "Run this in a checkout of the project:"),
            tag("pre", tag("code", command), tabindex="0"),
        ]
    )


def _foot(sources: Sequence[Source], comparisons: Sequence[Comparison]) -> str:
    facts = [comparisons[0].reference, *(comparison.other for comparison in comparisons)]
    return "  ·  ".join(
        ", ".join(
            filter(
                None,
                [
                    source.label,
                    f"run {f.run_id}" if f.run_id else "",
                    f"dt {f.timestep:g} ms" if f.timestep is not None else "",
                    f"seed {f.seed}" if f.seed is not None else "",
                ],
            )
        )
        for source, f in zip(sources, facts, strict=True)
    )
