"""What the spikes alone tell where the current is not known: no experiment, or the simulator's own
noise, or a network."""

from __future__ import annotations

import numpy as np

from analysis.diagnosis.course import Course
from analysis.diagnosis.explanations import on_grid
from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.wording import ms, percent
from analysis.runfacts import RunFacts
from analysis.spikearrays import SpikeArrays

GRIDS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.025, 0.02, 0.01, 0.001)
"""Timesteps (ms) that people use, the longest first."""


def patterns(
    reference: SpikeArrays,
    other: SpikeArrays,
    course: Course,
    facts: tuple[RunFacts, RunFacts],
    why: str,
) -> list[Finding]:
    """The findings of a condition by its spike times alone. why: what is not known."""
    grids = grid_of(reference), grid_of(other)
    steps = tuple(f.timestep or g for f, g in zip(facts, grids, strict=True))
    unrelated = course.locked < 0.5 and not course.drifts
    if _coarser(grids, steps):
        found = [_timesteps(grids, steps, course, why)]
        longest = max(s for s in (*grids, *steps) if s is not None)
        if unrelated and not _bounded(course, longest):
            found.append(_unrelated(course, facts, why))
        return found
    if unrelated and not _bounded(course, max((g for g in grids if g), default=0.0)):
        return [_unrelated(course, facts, why)]
    if (grids[0] is None) != (grids[1] is None) and _within_rounding(course, grids):
        return [_rounding(grids, course, why)]
    if course.drifts:
        return [_drift(course, why)]
    if course.equal > 0.6:
        return [_marginal(course, why)]
    return [_small(course, why)]


def grid_of(spikes: SpikeArrays) -> float | None:
    """The longest usual timestep (ms) that all spikes are multiples of; None off any grid.

    A regular train is on a coarse grid by chance more easily than its many spikes suggest: what
    counts is how many different intervals there are.
    """
    within = np.diff(spikes.trials) == 0
    lengths = np.append(np.diff(spikes.times)[within], spikes.times[:1])
    different = np.unique(np.rint(lengths / 1e-3)).size
    on = [step for step in GRIDS if on_grid(spikes.times, step)]
    if not on or different < 1:
        return None
    finest = 0.1 if 0.1 in on else on[-1]
    sure = (
        step for step in on if different * np.log(max(step / finest, 1.0)) > 7 or step <= finest
    )
    return next(sure, finest)


def _coarser(grids: tuple[float | None, float | None], steps: tuple[float | None, ...]) -> bool:
    """Whether the runs' timesteps differ, as declared or as their spikes show."""
    if steps[0] and steps[1] and abs(steps[0] - steps[1]) > 1e-9:
        return True
    known = [grid for grid in grids if grid is not None]
    return len(known) == 2 and max(known) >= 1.9 * min(known)


def _within_rounding(course: Course, grids: tuple[float | None, float | None]) -> bool:
    step = grids[1] or grids[0] or 0.0
    late = course.per_spike > 0
    right_way = late == (grids[0] is None) or not course.drifts
    return right_way and (abs(course.typical) <= step or _bounded(course, step))


def _bounded(course: Course, step: float) -> bool:
    """Whether spike n is nowhere more than n + 1 steps away: all that rounding can do."""
    if not course.numbers.size:
        return False
    return bool(np.all(np.abs(course.offsets) <= (course.numbers + 1) * step))


def _timesteps(
    grids: tuple[float | None, float | None],
    steps: tuple[float | None, ...],
    course: Course,
    why: str,
) -> Finding:
    shown = [_grid_words(g, s) for g, s in zip(grids, steps, strict=True)]
    sentence = (
        f"The timesteps differ: {shown[0]} in the reference, {shown[1]} in the other run; spikes "
        f"are stamped with whole steps. {course.sentence}. Run both at the same timestep. ({why})"
    )
    evidence: dict[str, float | str] = {
        "reference": grids[0] or steps[0] or 0.0,
        "other": grids[1] or steps[1] or 0.0,
        **course.evidence(),
    }
    return Finding(Cause.TIMESTEP, sentence, evidence)


def _grid_words(grid: float | None, step: float | None) -> str:
    if grid is None:
        return f"{step:g} ms with spikes off the grid" if step else "no grid"
    return f"a grid of {grid:g} ms"


def _rounding(grids: tuple[float | None, float | None], course: Course, why: str) -> Finding:
    on_other = grids[0] is None
    step = grids[1] if on_other else grids[0]
    sentence = (
        f"Probably grid rounding: the {'other run' if on_other else 'reference'} has all its "
        f"spikes on a grid of {step:g} ms, the {'reference' if on_other else 'other run'} off it, "
        f"and they come apart by no more than a step at each spike. {course.sentence}. ({why})"
    )
    evidence: dict[str, float | str] = {"step_ms": float(step or 0.0), **course.evidence()}
    return Finding(Cause.GRID_ROUNDING, sentence, evidence)


def _drift(course: Course, why: str) -> Finding:
    sentence = (
        f"The spikes drift apart. {course.sentence}. A parameter, the current or the way of "
        f"integrating differs; which one, these files cannot tell ({why})."
    )
    return Finding(Cause.DRIFT, sentence, course.evidence())


def _marginal(course: Course, why: str) -> Finding:
    sentence = (
        f"Most spikes are equal ({percent(course.equal)}), a few are not, and those that follow "
        f"agree again: threshold crossings that were decided by rounding errors, as far as the "
        f"spikes tell ({why})."
    )
    return Finding(Cause.MARGINAL_CROSSING, sentence, course.evidence())


def _small(course: Course, why: str) -> Finding:
    sentence = (
        f"Unknown, but small: the same spikes at slightly different times. {course.sentence}. "
        f"Integration or a parameter differs; which one, these files cannot tell ({why})."
    )
    return Finding(Cause.UNKNOWN, sentence, course.evidence())


def _unrelated(course: Course, facts: tuple[RunFacts, RunFacts], why: str) -> Finding:
    evidence: dict[str, float | str] = {
        "by_chance": course.by_chance, "ratio": course.ratio, **course.evidence(),
    }  # fmt: skip
    chance = (
        f"{percent(course.matched)} of the spikes have a partner within 2 ms, "
        f"{percent(course.by_chance)} by chance alone"
    )
    seeds = facts[0].seed, facts[1].seed
    if course.similar:
        known = (
            f" The seeds differ ({seeds[0]} and {seeds[1]})."
            if None not in seeds and seeds[0] != seeds[1]
            else ""
        )
        sentence = (
            f"Different noise samples: {chance}, at the same rate (ratio {course.ratio:.3g})."
            f"{known} Compare them with statistical(alpha), or with runs of the same "
            f"samples. ({why})"
        )
        return Finding(Cause.DIFFERENT_NOISE, sentence, evidence)
    sentence = (
        f"Unknown: {chance}, and the other run has {course.ratio:.3g} times as many spikes: not "
        f"the same input, or not the same neuron ({ms(abs(course.typical))} typical offset). "
        f"More these files cannot tell ({why})."
    )
    return Finding(Cause.UNKNOWN, sentence, evidence)
