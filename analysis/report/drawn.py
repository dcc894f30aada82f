"""What the figures of a report are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import neo

from analysis.columns import Column
from analysis.compare import ConditionComparison
from analysis.panels import time_unit


@dataclass(frozen=True)
class Source:
    """A run as the report names and draws it.

    label: how it is called everywhere on the page; no two runs share it.
    block: the run; of several with different seeds, the first. facts: name -> what is known of how
    the run came about beside what its block says. effective: condition -> parameter -> the value
    that the simulator says it used.
    """

    label: str
    block: neo.Block
    facts: Mapping[str, str] = field(default_factory=dict)
    effective: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Other:
    """A run beside the reference, in one condition. number: from 1, its colour and its lane."""

    number: int
    label: str
    column: Column
    compared: ConditionComparison

    @property
    def class_(self) -> str:
        return f"run run-{self.number}"


@dataclass(frozen=True)
class Scene:
    """One condition of a comparison, or of a single run (then without others)."""

    id: str
    name: str
    label: str
    reference: Column
    others: tuple[Other, ...] = ()

    @property
    def scale(self) -> tuple[float, str]:
        """(ms in one unit of the time axis, its name)."""
        return time_unit(self.reference.spikes.t_stop)

    @property
    def window(self) -> tuple[float, float]:
        """What all runs were observed in, in units of the time axis."""
        every = [self.reference.spikes, *(other.column.spikes for other in self.others)]
        scale = self.scale[0]
        return min(s.t_start for s in every) / scale, max(s.t_stop for s in every) / scale
