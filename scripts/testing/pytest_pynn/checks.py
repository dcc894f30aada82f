"""The assertions: two runs are compared, and a difference is told with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from analysis.compare import CompareError, Comparison
from analysis.measures import PotentialDifference, potential_difference
from analysis.pairing import Pair, pair_conditions
from analysis.policies import Statistical

from .sides import Comparable, Policies, Side, compared, two_sides

Show = Callable[[Comparison, Side, Side], str]
"""Leaves something to look at, and says where it is."""

MEASURES = ("max", "rms", "rms_between")


class Checks:
    """The assertions of a session. show: what leaves something to look at, and says where."""

    def __init__(self, show: Show) -> None:
        self._show = show

    def assert_spiketrains_close(
        self,
        reference: Comparable | Sequence[Comparable],
        other: Comparable | Sequence[Comparable],
        policy: Policies = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Comparison:
        """The comparison if it passed, an AssertionError with its diagnosis if not."""
        __tracebackhide__ = True
        return self._pass(*two_sides(reference, other), policy, mapping)

    def assert_same_statistics(
        self,
        reference: Comparable | Sequence[Comparable],
        other: Comparable | Sequence[Comparable],
        alpha: float = 0.01,
        mapping: Mapping[str, str] | None = None,
    ) -> Comparison:
        """As `assert_spiketrains_close`, for distributions over trials and seeds."""
        __tracebackhide__ = True
        first, second = two_sides(reference, other)
        policy = Statistical(alpha, min(len(first.blocks), len(second.blocks)))
        return self._pass(first, second, policy, mapping)

    def assert_potentials_close(
        self,
        reference: Comparable,
        other: Comparable,
        within: float = 1e-6,
        measure: str = "max",
        mapping: Mapping[str, str] | None = None,
    ) -> dict[str, PotentialDifference]:
        """Condition -> difference if each is within the limit (mV), an AssertionError if not."""
        __tracebackhide__ = True
        if measure not in MEASURES:
            raise ValueError(f"measure = {measure!r}: must be one of {', '.join(MEASURES)}")
        if not within >= 0:
            raise ValueError(f"within = {within!r} mV: must be 0 or more")
        first, second = two_sides(reference, other)
        pairs, unpaired = pair_conditions(list(first.blocks), list(second.blocks), mapping)
        found = {pair.name: _difference(pair) for pair in pairs}
        # A difference that is not a number is not within the limit.
        wrong = [name for name in found if not getattr(found[name], measure) <= within]
        if wrong or unpaired:
            lines = [
                f"{name}: {measure.replace('_', ' ')} of the difference of the potentials is "
                f"{getattr(found[name], measure):.4g} mV, allowed is {within:g} mV"
                for name in wrong
            ]
            why = self._told(compared(first, second, None, mapping), first, second)
            raise AssertionError("\n".join([*lines, why]))
        return found

    def _pass(
        self, first: Side, second: Side, policy: Policies, mapping: Mapping[str, str] | None
    ) -> Comparison:
        __tracebackhide__ = True
        comparison = compared(first, second, policy, mapping)
        if not comparison.passed:
            raise AssertionError(self._told(comparison, first, second))
        return comparison

    def _told(self, comparison: Comparison, first: Side, second: Side) -> str:
        """The verdict, each condition, the reason, and where to look at it."""
        lines = [comparison.verdict]
        for condition in comparison.conditions:
            how = "passed" if condition.passed else "FAILED"
            lines.append(f"  {condition.name}: {how}: {condition.verdict}")
        diagnosis = comparison.diagnosis.text().splitlines()
        return "\n".join(
            [
                *lines,
                "diagnosis:",
                *(f"  {line}" for line in diagnosis),
                self._show(comparison, first, second),
            ]
        )


def _difference(pair: Pair) -> PotentialDifference:
    difference = potential_difference(pair)
    if difference is None:
        raise CompareError(
            f"{pair.name}: the potentials cannot be compared, for the two runs have none of the "
            "same trials and times (record.v says how many trials have theirs recorded)"
        )
    return difference
