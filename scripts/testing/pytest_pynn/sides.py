"""What an assertion was given, as two sides to compare: their blocks, and what to call them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

import neo

from analysis.blocks import load_block
from analysis.compare import Comparison, compare
from analysis.policies import Policy

from .runs import BackendRun

Comparable: TypeAlias = "BackendRun | neo.Block | str | os.PathLike[str]"
"""A run, a Neo block, or the path of a run folder or of any file that Neo reads."""

Policies: TypeAlias = "Policy | str | Mapping[str, Policy | str] | None"


@dataclass(frozen=True)
class Side:
    """A run, or runs of one experiment with different seeds.

    label: no two sides share it. kept: where the first one is. effective: condition -> parameter
    -> the value that the simulator says it used.
    """

    label: str
    blocks: tuple[neo.Block, ...]
    kept: str = ""
    effective: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def two_sides(
    reference: Comparable | Sequence[Comparable], other: Comparable | Sequence[Comparable]
) -> tuple[Side, Side]:
    """Both, with the shortest names that tell them apart: the backends', else the runs'."""
    first, second = _side(reference), _side(other)
    if first.label == second.label:
        first, second = (
            replace(side, label=str(side.blocks[0].annotations.get("run_id") or side.label))
            for side in (first, second)
        )
    if first.label == second.label:
        first, second = replace(first, label="reference"), replace(second, label="other")
    return first, second


def compared(
    first: Side, second: Side, policy: Policies, mapping: Mapping[str, str] | None
) -> Comparison:
    """The comparison of two sides, under their labels."""
    found = compare(first.blocks, second.blocks, policy, mapping)
    return replace(
        found,
        reference=replace(found.reference, label=first.label),
        other=replace(found.other, label=second.label),
    )


def _side(given: Comparable | Sequence[Comparable]) -> Side:
    several = isinstance(given, Sequence) and not isinstance(given, str)
    runs = list(cast("Sequence[Comparable]", given)) if several else [given]
    if not runs:
        raise ValueError("there is no run in the list of runs to compare")
    blocks = tuple(_block(run) for run in runs)
    first = runs[0]
    label = str(blocks[0].annotations.get("backend") or blocks[0].name or "")
    if not isinstance(first, BackendRun):
        return Side(label, blocks, str(first) if isinstance(first, (str, os.PathLike)) else "")
    if first.folder is None:
        return Side(f"{label} baseline", blocks, first.origin)
    effective = first.recording.provenance.get("effective_parameters") or {}
    return Side(label, blocks, str(first.folder), effective)


def _block(given: Comparable) -> neo.Block:
    if isinstance(given, BackendRun):
        return given.block
    if isinstance(given, (str, os.PathLike)):
        return load_block(given)
    if not isinstance(given, neo.Block):
        raise TypeError(
            f"{type(given).__name__} cannot be compared: must be a run from run_on, a neo.Block, "
            "or the path of a run folder or of a file that Neo reads"
        )
    return given
