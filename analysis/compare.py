"""Is it the same spikes? Two runs side by side: a verdict by a policy, the measures, the reason.

`compare` takes Neo blocks, from a run of this project or from any file that Neo reads. Each
condition is judged by a policy (given, or from the table of `analysis.policy_defaults`), measured,
and diagnosed: the first diverging spike, and the cause as far as the evidence goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import neo
import numpy as np

from analysis.diagnosis import Diagnosis, diagnose
from analysis.matching import Matching
from analysis.measures import PotentialDifference, measure, potential_difference
from analysis.pairing import CompareError, Pair, pair_conditions
from analysis.policies import Policy, Statistical, as_policy
from analysis.policy_defaults import default_policy
from analysis.population_verdicts import descriptive_tests
from analysis.runfacts import RunFacts, run_facts
from analysis.verdicts import Outcome, judge, matching_for

if TYPE_CHECKING:
    from analysis.populations import SampleTest

__all__ = ["CompareError", "Comparison", "ConditionComparison", "RunFacts", "compare"]


@dataclass(frozen=True)
class ConditionComparison:
    """One condition of both runs.

    reference_name, other_name: of the segments. policy_reason: where the policy came from.
    verdict: one sentence with the numbers. matching: the reference's spikes with the other's.
    measures: name -> mean over the trials. potentials: None where not both recorded v at common
    times. tests: of the distributions over the population. diagnosis: of this condition alone.
    """

    name: str
    reference_name: str
    other_name: str
    policy: Policy
    policy_reason: str
    passed: bool
    verdict: str
    matching: Matching
    measures: Mapping[str, float]
    potentials: PotentialDifference | None
    tests: tuple[SampleTest, ...]
    diagnosis: Diagnosis
    pair: Pair = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "reference_name": self.reference_name,
            "other_name": self.other_name,
            "policy": str(self.policy),
            "policy_reason": self.policy_reason,
            "passed": self.passed,
            "verdict": self.verdict,
            "spikes": [self.matching.n_reference, self.matching.n_other],
            "missing": len(self.matching.missing),
            "extra": len(self.matching.extra),
            "measures": {name: _finite(value) for name, value in self.measures.items()},
            "potentials": _table(self.potentials) if self.potentials else None,
            "tests": [_table(test) for test in self.tests],
            "diagnosis": self.diagnosis.to_dict(),
        }


@dataclass(frozen=True)
class Comparison:
    """Two runs compared. unpaired: conditions of the reference that the other run lacks.

    diagnosis: over all conditions together, the main cause first.
    """

    reference: RunFacts
    other: RunFacts
    conditions: tuple[ConditionComparison, ...]
    diagnosis: Diagnosis
    unpaired: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every condition passed, and none is missing."""
        return all(condition.passed for condition in self.conditions) and not self.unpaired

    @property
    def verdict(self) -> str:
        """One sentence: passed or not, how many conditions, by which policies."""
        failed = [condition.name for condition in self.conditions if not condition.passed]
        number = len(self.conditions)
        policies = ", ".join(dict.fromkeys(str(c.policy) for c in self.conditions))
        what = f"{self.other.label} against {self.reference.label}"
        if self.unpaired:
            return f"FAILED: {what}: without condition {', '.join(self.unpaired)}"
        if failed:
            return (
                f"FAILED: {what}: {len(failed)} of {number} conditions "
                f"({_some(failed)}) by {policies}"
            )
        conditions = f"all {number} conditions" if number > 1 else "the condition"
        return f"PASSED: {what}: {conditions} by {policies}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: everything but the arrays."""
        return {
            "reference": self.reference.to_dict(),
            "other": self.other.to_dict(),
            "passed": self.passed,
            "verdict": self.verdict,
            "unpaired": list(self.unpaired),
            "conditions": [condition.to_dict() for condition in self.conditions],
            "diagnosis": self.diagnosis.to_dict(),
        }


def compare(
    reference: neo.Block | Sequence[neo.Block],
    other: neo.Block | Sequence[neo.Block],
    policy: Policy | str | Mapping[str, Policy | str] | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare `other` with `reference`.

    reference, other: a block; or several, the same experiment with different seeds, which then
    are compared run with run (statistical policies take all together). policy: for all conditions,
    or by the condition's name in the reference (the others keep their default); None: the default
    for this pair of backends, stimulus and timestep. mapping: condition in the reference ->
    condition in `other`, where their names differ.

    Raises CompareError where the two cannot be set side by side; PolicyError for a bad policy.
    """
    first, second = _blocks("reference", reference), _blocks("other", other)
    facts = run_facts(first), run_facts(second)
    pairs, unpaired = pair_conditions(first, second, mapping)
    chosen = _policies(policy, pairs, facts)
    needs_pairs = any(not isinstance(chosen[pair.name][0], Statistical) for pair in pairs)
    if needs_pairs and len(first) != len(second):
        raise CompareError(
            f"{len(first)} runs cannot be compared spike by spike with {len(second)}; give as "
            "many on each side, or a statistical policy"
        )
    outcomes = judge(pairs, [chosen[pair.name][0] for pair in pairs], facts)
    diagnoses, overall = diagnose(pairs, facts)
    conditions = tuple(
        _condition(pair, *chosen[pair.name], outcome, diagnosis, facts)
        for pair, outcome, diagnosis in zip(pairs, outcomes, diagnoses, strict=True)
    )
    return Comparison(*facts, conditions, overall, tuple(unpaired))


def _blocks(name: str, given: neo.Block | Sequence[neo.Block]) -> list[neo.Block]:
    blocks = [given] if isinstance(given, neo.Block) else list(given)
    for block in blocks:
        if not isinstance(block, neo.Block):
            raise CompareError(
                f"{name} is a {type(block).__name__}; it must be a neo.Block or a sequence of them "
                "(analysis.blocks.load_block reads one from a run folder or a file)"
            )
    return blocks


def _policies(
    given: Policy | str | Mapping[str, Policy | str] | None,
    pairs: Sequence[Pair],
    facts: tuple[RunFacts, RunFacts],
) -> dict[str, tuple[Policy, str]]:
    """Condition -> its policy and where that came from."""
    named = given if isinstance(given, Mapping) else {}
    unknown = set(named) - {pair.name for pair in pairs}
    if unknown:
        raise CompareError(
            f"a policy is given for {_some(sorted(unknown))}, but the conditions are "
            f"{', '.join(pair.name for pair in pairs)}"
        )
    chosen = {}
    for pair in pairs:
        asked = named.get(pair.name) if isinstance(given, Mapping) else given
        if asked is None:
            chosen[pair.name] = default_policy(*facts, pair.name)
        else:
            chosen[pair.name] = as_policy(asked), "asked for"
    return chosen


def _condition(
    pair: Pair,
    policy: Policy,
    reason: str,
    outcome: Outcome,
    diagnosis: Diagnosis,
    facts: tuple[RunFacts, RunFacts],
) -> ConditionComparison:
    matching = outcome.matching or matching_for(pair, policy)
    return ConditionComparison(
        name=pair.name,
        reference_name=pair.reference.name,
        other_name=pair.other.name,
        policy=policy,
        policy_reason=reason,
        passed=outcome.passed,
        verdict=outcome.verdict,
        matching=matching,
        measures=measure(pair, matching),
        potentials=potential_difference(pair),
        tests=outcome.tests or descriptive_tests(pair, facts),
        diagnosis=diagnosis,
        pair=pair,
    )


def _some(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _table(record: Any) -> dict[str, Any]:
    """A record, and the records in it, as plain numbers; what is undefined is None."""
    table: dict[str, Any] = {}
    for field_ in fields(record):
        value = getattr(record, field_.name)
        if is_dataclass(value):
            value = _table(value)
        elif isinstance(value, (float, np.floating)):
            value = _finite(float(value))
        table[field_.name] = value
    return table
