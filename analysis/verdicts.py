"""Whether two runs pass their policies, said in a sentence with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.matching import Matching, match_spikes
from analysis.pairing import CompareError, Pair
from analysis.policies import EQUAL_WITHIN, Grid, Policy, Statistical, Timing
from analysis.runfacts import RunFacts

if TYPE_CHECKING:
    from analysis.populations import SampleTest

USUAL_WINDOW = 2.0
"""Window (ms) of the matching where the policy itself has none."""
SHARE_OF_A_STEP = 1e-3
"""Two times on a grid are the same point if they are no further apart, in timesteps."""


@dataclass(frozen=True)
class Outcome:
    """passed; verdict: a sentence; matching: as the policy asks; tests: of distributions."""

    passed: bool
    verdict: str
    matching: Matching | None = None
    tests: tuple[SampleTest, ...] = ()


def judge(
    pairs: Sequence[Pair], policies: Sequence[Policy], facts: tuple[RunFacts, RunFacts]
) -> list[Outcome]:
    """The outcome of each condition by its policy.

    Statistical policies are judged together: their error rate holds for all conditions at once.
    """
    from analysis.population_verdicts import judge_statistically

    outcomes: dict[int, Outcome] = {}
    together = [k for k, policy in enumerate(policies) if isinstance(policy, Statistical)]
    if together:
        found = judge_statistically(
            [pairs[k] for k in together], [policies[k] for k in together], facts
        )
        outcomes.update(zip(together, found, strict=True))
    for k, (pair, policy) in enumerate(zip(pairs, policies, strict=True)):
        if k not in outcomes:
            outcomes[k] = _judge_spikes(pair, policy, facts)
    return [outcomes[k] for k in range(len(pairs))]


def matching_for(pair: Pair, policy: Policy, step: float | None = None) -> Matching:
    """The reference's spikes with the other's, within the widest window the policy allows.

    Where the policy has no window, within 2 ms.
    """
    reference, other = pair.reference.spikes, pair.other.spikes
    window = USUAL_WINDOW
    if isinstance(policy, Timing):
        most = int(reference.counts.max(initial=1))
        window = float(policy.allowed(np.array([most]))[0])
    elif isinstance(policy, Grid) and step is not None:
        window = max(window, (policy.steps + 0.5) * step)
    return match_spikes(reference, other, window)


def _judge_spikes(pair: Pair, policy: Policy, facts: tuple[RunFacts, RunFacts]) -> Outcome:
    step = grid_step(facts) if isinstance(policy, Grid) else None
    matching = matching_for(pair, policy, step)
    sizes = np.abs(matching.offsets)
    if isinstance(policy, Timing):
        good = sizes <= policy.allowed(matching.ordinals) + EQUAL_WITHIN
        needed = policy.fraction
    else:
        tolerance = EQUAL_WITHIN
        if isinstance(policy, Grid):
            assert step is not None
            tolerance = (policy.steps + SHARE_OF_A_STEP) * step
        good, needed = sizes <= tolerance, 1.0
    n_good, total = int(good.sum()), matching.n_reference + matching.n_other
    fraction = 2 * n_good / total if total else 1.0
    enough = fraction >= needed - 1e-12 and (needed < 1 or 2 * n_good == total)
    same_trials = pair.trials[0] == pair.trials[1]
    verdict = _sentence(matching, good, fraction, policy, enough)
    if not same_trials:
        verdict += f"; {pair.trials[1]} trials for {pair.trials[0]}"
    return Outcome(enough and same_trials, verdict, matching)


def _sentence(
    matching: Matching, good: np.ndarray, fraction: float, policy: Policy, enough: bool
) -> str:
    n = matching.n_reference
    if enough and not np.any(~good) and not len(matching.missing) and not len(matching.extra):
        offset = float(np.abs(matching.offsets).max(initial=0.0))
        largest = f", largest offset {offset:.3g} ms" if offset > EQUAL_WITHIN else ""
        return f"all {n} spikes match{largest} ({policy.words} asked for)"
    parts = [f"{100 * fraction:.4g} % of {n} and {matching.n_other} spikes match"]
    moved = int(np.count_nonzero(~good))
    if moved:
        furthest = np.abs(matching.offsets[~good]).max()
        parts.append(f"{moved} too far away (up to {furthest:.3g} ms)")
    if len(matching.missing):
        parts.append(f"{len(matching.missing)} missing")
    if len(matching.extra):
        parts.append(f"{len(matching.extra)} extra")
    return f"{', '.join(parts)} ({policy.words} asked for)"


def grid_step(facts: tuple[RunFacts, RunFacts]) -> float:
    """The timestep (ms) that a grid policy counts in: the longer one of the two runs'.

    Raises CompareError where neither run says its timestep.
    """
    known = [run.timestep for run in facts if run.timestep]
    if not known:
        raise CompareError(
            "a grid policy counts timesteps, but neither run says its timestep; use "
            "timing(window, fraction)"
        )
    return max(known)
