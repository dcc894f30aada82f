"""The diagnosis of a comparison: book-keeping first, then dynamics, then what spikes alone tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.diagnosis.across import agreed
from analysis.diagnosis.bookkeeping import TIE, Books, equal, keep_books
from analysis.diagnosis.course import Course, course
from analysis.diagnosis.declared import Difference, declared
from analysis.diagnosis.dynamics import Account, accounts
from analysis.diagnosis.findings import Cause, Diagnosis, Finding, FirstDivergence
from analysis.diagnosis.mechanisms import mechanisms
from analysis.diagnosis.patterns import patterns
from analysis.diagnosis.reordering import reordered
from analysis.diagnosis.wording import many
from analysis.pairing import Pair
from analysis.runfacts import RunFacts

Facts = tuple[RunFacts, RunFacts]


LEFT_TO_GUESS = {Cause.UNKNOWN, Cause.DRIFT, Cause.MARGINAL_CROSSING}
"""What is said of spikes alone only where the experiments declare no difference."""


def diagnose(pairs: Sequence[Pair], facts: Facts) -> tuple[list[Diagnosis], Diagnosis]:
    """The diagnosis of each condition, and the one over all of them."""
    differing = {k: pair for k, pair in enumerate(pairs) if not equal(pair)}
    step = facts[1].timestep or facts[0].timestep
    books = {k: keep_books(pair, step, facts[1].backend) for k, pair in differing.items()}
    books.update(agreed(differing, books))
    if (facts[0].plan or facts[1].plan) and not _one_shift(pairs, books):
        # A file's time axis is shifted in all conditions or in none.
        for k in [k for k, kept in books.items() if kept.shift]:
            books[k] = keep_books(differing[k], step, facts[1].backend, may_shift=False)
    open_ = {k: pair for k, pair in differing.items() if not books[k].settled}
    known = accounts(open_, books, facts)
    in_order = reordered(books, known)
    if in_order:
        books.update(in_order)
        known.update(accounts({k: open_[k] for k in in_order}, books, facts))
    diagnoses = []
    for k, pair in enumerate(pairs):
        if k not in differing:
            diagnoses.append(Diagnosis(tuple(_fewer(pair))))
            continue
        findings = [*books[k].findings, *_fewer(pair)]
        if k in open_:
            findings += _open(pair, books[k], known.get(k), facts)
        diagnoses.append(Diagnosis(_ordered(findings), _first(pair, known.get(k))))
    return diagnoses, _over_all(pairs, diagnoses)


def _one_shift(pairs: Sequence[Pair], books: Mapping[int, Books]) -> bool:
    """Whether all conditions that have spikes are shifted by the same time."""
    shifts = [
        books[k].shift if k in books else 0.0
        for k, pair in enumerate(pairs)
        if pair.reference.spikes.times.size and pair.other.spikes.times.size
    ]
    return not shifts or max(shifts) - min(shifts) < 1e-4


def _first(pair: Pair, known: tuple[Account, Account] | None) -> FirstDivergence | None:
    from analysis.divergence import first_divergence

    return first_divergence(pair, known, TIE)


def _open(
    pair: Pair, books: Books, known: tuple[Account, Account] | None, facts: Facts
) -> list[Finding]:
    """What book-keeping leaves to explain."""
    reference, other = books.reference, books.other
    if not reference.times.size or not other.times.size:
        return [] if books.findings else [_silent(pair)]
    way = course(reference, other, TIE)
    differences = _declared(pair, facts)
    if known is not None:
        found = mechanisms(pair, known, way, differences)
        if found:
            return found
    why = _unknown_because(pair, known, facts)
    found = patterns(reference, other, way, facts, why)
    said = _as_said(differences, way)
    causes = {finding.cause for finding in said} | (LEFT_TO_GUESS if said else set())
    return [*said, *(finding for finding in found if finding.cause not in causes)]


def _silent(pair: Pair) -> Finding:
    n = pair.reference.spikes.times.size, pair.other.spikes.times.size
    silent, firing = ("other run", "reference") if n[0] else ("reference", "other run")
    sentence = (
        f"The {silent} has no spike at all, the {firing} {max(n)}: no current arrived, the "
        "threshold is out of reach, or the spikes were not recorded."
    )
    return Finding(Cause.UNKNOWN, sentence, {"reference": float(n[0]), "other": float(n[1])})


def _fewer(pair: Pair) -> list[Finding]:
    """Trials that one side alone has; where a side is several runs, there may well be more."""
    n = pair.trials
    several = max(pair.reference.runs.max(initial=0), pair.other.runs.max(initial=0)) > 0
    if n[0] == n[1] or several:
        return []
    lacking, having = ("other run", "reference") if n[0] > n[1] else ("reference", "other run")
    sentence = (
        f"The {lacking} has {many(min(n), 'trial')}, the {having} {max(n)}: the last "
        f"{max(n) - min(n)} cannot be compared. Some were not run or not saved; to compare those "
        "that both have, choose them (--trials)."
    )
    evidence: dict[str, float | str] = {
        "trials": float(abs(n[0] - n[1])), "of": float(max(n)), "lacking": lacking,
    }  # fmt: skip
    return [Finding(Cause.TRUNCATED, sentence, evidence)]


def _declared(pair: Pair, facts: Facts) -> tuple[Difference, ...]:
    if facts[0].plan is None or facts[1].plan is None or facts[0].digest == facts[1].digest:
        return ()
    return declared(facts[0].plan, facts[1].plan, pair.reference.name, pair.other.name)


def _as_said(differences: Sequence[Difference], way: Course) -> list[Finding]:
    from analysis.diagnosis.mechanisms import said_only

    return [said_only(difference, way) for difference in differences]


def _unknown_because(pair: Pair, known: tuple[Account, Account] | None, facts: Facts) -> str:
    if known is not None:
        return (
            "the experiment in the files predicts neither run's spikes, so that the current or the "
            "neuron must have been another one"
        )
    plan = facts[0].plan or facts[1].plan
    if plan is None:
        return "no file holds the experiment, so the current is not known"
    if plan.model is not None:
        return "the spikes come from a model of its own, whose currents are not known"
    if plan.neuron is not None and not plan.neuron.cell_type.startswith("IF_"):
        return f"{plan.neuron.cell_type} is not predicted, only leaky integrate-and-fire cells are"
    return "each simulator draws this noise itself, so the current is not known"


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Without repetitions; those that the files declare first."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.cause, finding.sentence), finding)
    return tuple(kept.values())


def _over_all(pairs: Sequence[Pair], diagnoses: Sequence[Diagnosis]) -> Diagnosis:
    """The causes of all conditions, the commonest first; each said once, with where."""
    by_cause: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
    for pair, diagnosis in zip(pairs, diagnoses, strict=True):
        for finding in diagnosis.findings:
            key = finding.cause, str(finding.evidence.get("parameter", ""))
            by_cause.setdefault(key, []).append((pair.name, finding))
    findings = []
    differing = sum(bool(d.findings) for d in diagnoses)
    for where in sorted(by_cause.values(), key=_weight):
        findings.append(_together(where, differing, len(pairs)))
    firsts = [d.first for d in diagnoses if d.first is not None]
    first = min(firsts, key=lambda f: min(_times(f)), default=None)
    return Diagnosis(tuple(findings), first)


def _weight(where: list[tuple[str, Finding]]) -> tuple[int, int]:
    """The commonest cause first, what is left over last."""
    left_over = where[0][1].cause in (Cause.MIXED, Cause.UNKNOWN)
    return int(left_over), -len({name for name, _ in where})


def _times(first: FirstDivergence) -> list[float]:
    return [t for t in (first.time_reference, first.time_other) if t is not None]


def _together(where: list[tuple[str, Finding]], differing: int, n: int) -> Finding:
    """One cause in several conditions: the first one's words, and where else it is seen."""
    names = list(dict.fromkeys(name for name, _ in where))
    finding = where[0][1]
    evidence = {**finding.evidence, "conditions": ", ".join(names)}
    if n == 1:
        return replace(finding, evidence=evidence)
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return Finding(finding.cause, f"[{shown}] {finding.sentence}", evidence)
