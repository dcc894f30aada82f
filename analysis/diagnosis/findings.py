"""What a diagnosis is made of: causes, findings with their evidence, the first divergence."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from analysis.spikearrays import FloatArray


class Cause(enum.StrEnum):
    """Why two runs differ, as far as the evidence goes."""

    CONSTANT_SHIFT = "constant_shift"
    GRID_ROUNDING = "grid_rounding"
    DRIFT = "drift"
    PARAMETER = "parameter"
    MARGINAL_CROSSING = "marginal_crossing"
    DIFFERENT_NOISE = "different_noise"
    PERMUTED_NEURONS = "permuted_neurons"
    INITIAL_SPIKES = "initial_spikes"
    SPIKES_DROPPED = "spikes_dropped"
    TRUNCATED = "truncated"
    TIMESTEP = "timestep"
    UNITS = "units"
    T_START = "t_start"
    FIXED_POINT = "fixed_point"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One cause, said in a sentence a person understands, with the numbers it rests on."""

    cause: Cause
    sentence: str
    evidence: Mapping[str, float | str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "cause": self.cause.value,
            "sentence": self.sentence,
            "evidence": {key: _plain(value) for key, value in self.evidence.items()},
        }


@dataclass(frozen=True)
class DivergenceWindow:
    """Potentials and current around the first divergence, for plotting.

    t: ms, (n,). v_reference, v_other: mV, (n,), nan where unknown. current: nA, (n,), or None.
    """

    t: FloatArray
    v_reference: FloatArray
    v_other: FloatArray
    current: FloatArray | None


@dataclass(frozen=True)
class FirstDivergence:
    """The earliest spike that is not the same in both runs.

    trial: from 0. number: of the spike within its trial, from 1 (in the reference, or in the other
    run where the reference has no such spike). times: ms, None where there is no such spike.
    v_*, v_thresh: mV at the earlier of the two times, current: nA, distance_to_threshold: mV by
    which the run that did not fire there stayed below the threshold; None where not known.
    v_source: "recorded", "computed" (from the experiment) or "".
    """

    condition: str
    trial: int
    number: int
    time_reference: float | None
    time_other: float | None
    v_reference: float | None = None
    v_other: float | None = None
    v_thresh: float | None = None
    current: float | None = None
    distance_to_threshold: float | None = None
    v_source: str = ""
    window: DivergenceWindow | None = None

    @property
    def sentence(self) -> str:
        """Where the runs part, in words."""
        where = f"trial {self.trial + 1}, spike {self.number}"  # as the figures number them
        if self.condition:
            where = f"{self.condition}, {where}"
        if self.time_reference is None:
            text = f"{where}: only in the other run, at {_ms(self.time_other)}"
        elif self.time_other is None:
            text = f"{where}: only in the reference, at {_ms(self.time_reference)}"
        else:
            offset = (self.time_other or 0.0) - self.time_reference
            text = (
                f"{where}: at {_ms(self.time_reference)} in the reference, at "
                f"{_ms(self.time_other)} in the other run ({offset:+.4g} ms)"
            )
        late = "the other run" if self.time_other is None else "the reference"
        if None not in (self.time_reference, self.time_other):
            late = "the later one"
        if self.distance_to_threshold is not None and self.distance_to_threshold < 1e-6:
            text += f"; {late} was at the threshold there, to within rounding errors"
        elif self.distance_to_threshold is not None:
            text += f"; {late} was {self.distance_to_threshold:.3g} mV below threshold there"
        if self.current is not None:
            text += f"; current {self.current:.4g} nA"
        return text

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; without the window's arrays."""
        names = [one.name for one in fields(self) if one.name != "window"]
        return {name: _plain(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class Diagnosis:
    """Why two runs differ. findings: main cause first; empty if nothing differs."""

    findings: tuple[Finding, ...] = ()
    first: FirstDivergence | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of the findings, in their order."""
        return tuple(finding.cause for finding in self.findings)

    def text(self) -> str:
        """The diagnosis for a terminal: where the runs part, and why."""
        if not self.findings and self.first is None:
            return "No difference."
        lines = []
        if self.first is not None:
            lines.append(f"First difference: {self.first.sentence}.")
        if len(self.findings) > 1:
            lines.append(f"{len(self.findings)} findings, the main one first:")
        mark = "- " if len(self.findings) > 1 else ""
        lines.extend(f"{mark}{finding.sentence}" for finding in self.findings)
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "first": self.first.to_dict() if self.first else None,
            "text": self.text(),
        }


def _ms(time: float | None) -> str:
    return "no time" if time is None else f"{time:.10g} ms"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
