"""The tables and sentences of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from analysis.compare import Comparison, ConditionComparison
from analysis.diagnosis import Diagnosis
from analysis.populations import SampleTest
from analysis.report.drawn import Scene, Source
from analysis.report.markup import Content, Markup, joined, table, tag
from analysis.resampling import Estimate
from analysis.words import UNDEFINED, listed, minus, number, p_value, percent, signed

MEASURES: Mapping[str, tuple[str, str]] = {
    "median_offset": ("median difference (ms)", "0"),
    "max_offset": ("largest difference (ms)", "0"),
    "coincidence_factor": ("coincidence factor Γ", "1"),
    "victor_purpura": ("Victor–Purpura distance, 1 per ms", "0"),
    "van_rossum": ("van Rossum distance, τ 10 ms", "0"),
    "isi_distance": ("ISI-distance", "0"),
    "spike_distance": ("SPIKE-distance", "0"),
    "spike_synchronization": ("SPIKE-synchronization", "1"),
    "schreiber": ("Schreiber correlation, σ 2 ms", "1"),
}
"""Measure -> its name on the page, and its value for equal runs."""


def mark(passed: bool) -> Markup:
    """The verdict as a word and a sign: never by colour alone."""
    if passed:
        return tag("span", "✓ passed", class_="mark passed")
    return tag("span", "✗ failed", class_="mark failed")


def findings(diagnosis: Diagnosis, first: bool = True) -> Markup:
    """Where the runs part, and why, main cause first."""
    said: list[Content] = []
    if first and diagnosis.first is not None:
        said.append(tag("p", f"First difference: {diagnosis.first.sentence}."))
    if diagnosis.findings:
        items = [tag("li", finding.sentence) for finding in diagnosis.findings]
        said.append(tag("ul", *items, class_="findings"))
    elif diagnosis.first is None:
        said.append(tag("p", "No difference was found.", class_="quiet"))
    return joined(said)


def overview(sources: Sequence[Source], comparisons: Sequence[Comparison]) -> Markup:
    """A line for each condition of each run."""
    head = ("condition", "run", "verdict", "policy", "matched", "missing", "extra", "median (ms)",
            "largest (ms)")  # fmt: skip
    rows = []
    for place, condition in enumerate(comparisons[0].conditions if comparisons else ()):
        for source, comparison in zip(sources[1:], comparisons, strict=True):
            found = same_condition(comparison, condition.reference_name)
            if found is not None:
                rows.append((place, condition.name, source.label, found))
    lines = [
        (
            name, label, mark(c.passed), tag("code", str(c.policy)),
            percent(c.matching.fraction_matched), number(len(c.matching.missing)),
            number(len(c.matching.extra)), signed(c.measures.get("median_offset")),
            number(c.measures.get("max_offset")),
        )
        for _, name, label, c in rows
    ]  # fmt: skip
    return table("Every condition of every run", head, lines, words=4)


def same_condition(comparison: Comparison, reference_name: str) -> ConditionComparison | None:
    """A comparison's part for a condition of the reference, if the other run has it."""
    return next((c for c in comparison.conditions if c.reference_name == reference_name), None)


def measures(scene: Scene) -> Markup:
    """Every measure, a column a run."""
    head = ["measure, mean over trials", *(o.label for o in scene.others), "equal runs"]
    each = [other.compared for other in scene.others]
    rows: list[list[Content]] = [
        ["spikes (reference, run)",
         *(f"{c.matching.n_reference}, {c.matching.n_other}" for c in each), "equal"],
        ["matched", *(percent(c.matching.fraction_matched) for c in each), "100 %"],
        ["missing", *(number(len(c.matching.missing)) for c in each), "0"],
        ["extra", *(number(len(c.matching.extra)) for c in each), "0"],
    ]  # fmt: skip
    known = {key for compared in each for key in compared.measures} - {"matched_fraction"}
    for key in [*(k for k in MEASURES if k in known), *sorted(known - set(MEASURES))]:
        name, equal = MEASURES.get(key, (key.replace("_", " "), ""))
        written = signed if key == "median_offset" else number
        rows.append([name, *(written(c.measures.get(key)) for c in each), equal])
    if any(c.potentials is not None for c in each):
        for name, attribute in (
            ("potential, largest difference (mV)", "max"),
            ("potential, RMS (mV)", "rms"),
            ("potential, RMS between spikes (mV)", "rms_between"),
        ):
            values = [
                number(getattr(c.potentials, attribute)) if c.potentials else UNDEFINED
                for c in each
            ]
            rows.append([name, *values, "0"])
    return table(f"Measures of {scene.name}", head, rows)


def tests(scene: Scene) -> Markup | None:
    """The tests of the distributions; None where none was made."""
    head = ("run", "of", scene.label, "run", "Kolmogorov–Smirnov", "Mann–Whitney", "Levene",
            "Wasserstein", "Kullback–Leibler (nats)", "effect size g [95 %]")  # fmt: skip
    rows = [_test_row(other.label, test) for other in scene.others for test in other.compared.tests]
    if not rows:
        return None
    caption = (
        f"Tests of the distributions of {scene.name}: mean ± SD of both sides, p-values corrected "
        "for all tests of the set (Holm), distances, and Hedges' g, above 0 where the run's values "
        "are larger"
    )
    return table(caption, head, rows, words=2)


def _test_row(label: str, test: SampleTest) -> list[Content]:
    unit = f" {test.unit}" if test.unit else ""
    return [
        label,
        f"{test.name}, {test.unit}" if test.unit else test.name,
        f"{number(test.mean_reference)} ± {number(test.sd_reference, 2)}",
        f"{number(test.mean_other)} ± {number(test.sd_other, 2)}",
        *(p_value(result.p_corrected) for result in test.results.values()),
        f"{number(test.wasserstein)}{unit}",
        number(test.kl_divergence),
        estimate(test.hedges_g),
    ]


def estimate(found: Estimate) -> str:
    """A value with its interval."""
    if not math.isfinite(found.value):
        return UNDEFINED
    text = f"{found.value:.2f}"
    if math.isfinite(found.low):
        text += f" [{found.low:.2f}, {found.high:.2f}]"
    return minus(text)


def provenance(sources: Sequence[Source], comparisons: Sequence[Comparison]) -> Markup:
    """What is known of every run, a column a run."""
    facts = [comparisons[0].reference, *(comparison.other for comparison in comparisons)]
    rows: list[list[Content]] = []
    for name, values in (
        ("backend", [f.backend for f in facts]),
        ("run", [f.run_id for f in facts]),
        ("experiment", [f.experiment for f in facts]),
        ("digest", [f.digest[:16] for f in facts]),
        ("timestep", [_with_unit(f.timestep) for f in facts]),
        ("duration", [_with_unit(f.duration) for f in facts]),
        ("seed", [_seeds(f.seeds or (f.seed,)) for f in facts]),
        ("trials", ["" if f.trials is None else str(f.trials) for f in facts]),
    ):
        rows.append([name, *values])
    rows += _more(sources)
    names = list(dict.fromkeys(name for f in facts for name in f.versions))
    rows += [[f"version of {name}", *(f.versions.get(name, "") for f in facts)] for name in names]
    if any(f.notes for f in facts):
        rows.append(["notes", *(f.notes for f in facts)])
    return facts_table([source.label for source in sources], rows)


def run_provenance(source: Source) -> Markup:
    """What is known of a single run."""
    from analysis.runfacts import run_facts

    f = run_facts([source.block])
    rows: list[list[Content]] = [
        ["backend", f.backend], ["run", f.run_id], ["experiment", f.experiment],
        ["digest", f.digest[:16]], ["timestep", _with_unit(f.timestep)],
        ["duration", _with_unit(f.duration)], ["seed", _seeds((f.seed,))],
        ["trials", "" if f.trials is None else str(f.trials)],
    ]  # fmt: skip
    rows += _more([source])
    rows += [[f"version of {name}", version] for name, version in f.versions.items()]
    if f.notes:
        rows.append(["notes", f.notes])
    return facts_table([source.label], rows)


def _more(sources: Sequence[Source]) -> list[list[Content]]:
    names = list(dict.fromkeys(name for source in sources for name in source.facts))
    return [[name, *(source.facts.get(name, "") for source in sources)] for name in names]


def facts_table(labels: Sequence[str], rows: Sequence[Sequence[Content]]) -> Markup:
    """Names and values in words; rows of which no run says anything are left out."""
    kept = [[row[0], *(cell or UNDEFINED for cell in row[1:])] for row in rows if any(row[1:])]
    return table("What is known of every run", ["fact", *labels], kept, words=99)


def effective(sources: Sequence[Source]) -> Markup | None:
    """The parameters as the simulators say they used them; those that differ are marked."""
    rows: list[list[Content]] = []
    for (key, *values), conditions in _parameters(sources).items():
        differs = len({value for value in values if value != UNDEFINED}) > 1
        where = f" ({listed(conditions)})"
        name = joined([key, where, tag("strong", ", differs") if differs else None])
        rows.append([name, *values])
    if not rows:
        return None
    drawn = table(
        "Parameters of the cells as each simulator had them",
        ["parameter", *(source.label for source in sources)], rows, words=99,
    )  # fmt: skip
    return tag("details", tag("summary", "Parameters of the cells"), drawn)


def _parameters(sources: Sequence[Source]) -> dict[tuple[str, ...], list[str]]:
    """(parameter, its value in each run) -> the conditions in which this is so."""
    found: dict[tuple[str, ...], list[str]] = {}
    for condition in dict.fromkeys(name for source in sources for name in source.effective):
        each = [source.effective.get(condition, {}) for source in sources]
        for key in dict.fromkeys(key for values in each for key in values):
            values = (str(one[key]) if key in one else UNDEFINED for one in each)
            found.setdefault((key, *values), []).append(condition)
    return found


def _with_unit(value: float | None) -> str:
    return "" if value is None else f"{number(value, 6)} ms"


def _seeds(seeds: Sequence[int | None]) -> str:
    return ", ".join(str(seed) for seed in seeds if seed is not None)
