"""What two experiments say themselves that they have different."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis.diagnosis.findings import Cause
from pynn_model.currents import Noise
from pynn_model.experiment import Condition, Experiment

_NO_MATTER = ("name", "description", "record", "series", "level", "file")


@dataclass(frozen=True)
class Difference:
    """One entry of the experiment that differs. key: as in its file, "neuron.parameters.tau_m"."""

    key: str
    reference: Any
    other: Any

    @property
    def cause(self) -> Cause:
        """What such a difference does."""
        last = self.key.rpartition(".")[2]
        if last == "seed":
            return Cause.DIFFERENT_NOISE
        if last == "timestep":
            return Cause.TIMESTEP
        if self.key == "duration":
            return Cause.TRUNCATED
        return Cause.PARAMETER

    @property
    def words(self) -> str:
        """tau_m is 30.3 instead of 30 (+1 %)"""
        name = self.key.replace("neuron.parameters.", "").replace("neuron.", "")
        text = f"{name} is {_shown(self.other)} instead of {_shown(self.reference)}"
        numbers = isinstance(self.reference, (int, float)) and isinstance(self.other, (int, float))
        if numbers and self.reference and self.cause is Cause.PARAMETER and last_scales(self.key):
            text += f" ({100 * (self.other / self.reference - 1):+.3g} %)"
        return text


def last_scales(key: str) -> bool:
    """Whether a ratio of two such values means anything: not of potentials."""
    return not key.rpartition(".")[2].startswith("v")


def declared(
    reference: Experiment, other: Experiment, name: str, other_name: str
) -> tuple[Difference, ...]:
    """All that two experiments have different in what concerns one condition."""
    ours, theirs = _relevant(reference, name), _relevant(other, other_name)
    found = [Difference(key, a, b) for key, a, b in _differences(ours, theirs, "")]
    if not _uses_seed(reference, name) and not _uses_seed(other, other_name):
        found = [difference for difference in found if difference.key != "seed"]
    return tuple(found)


def _relevant(experiment: Experiment, name: str) -> dict[str, Any]:
    table = json.loads(experiment.to_json())
    conditions = table.pop("conditions")
    for position, condition in enumerate(experiment.conditions):
        if condition.name == name:
            table["currents"] = conditions[position]["currents"]
    return {key: value for key, value in table.items() if key not in _NO_MATTER}


def _differences(a: Any, b: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            if key not in _NO_MATTER:
                inside = f"{path}.{key}" if path else key
                yield from _differences(a.get(key), b.get(key), inside)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for place, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from _differences(left, right, f"{path}.{place}")
    elif a != b:
        yield path, a, b


def _uses_seed(experiment: Experiment, name: str) -> bool:
    condition = next((c for c in experiment.conditions if c.name == name), None)
    return condition is None or any(
        (isinstance(c, Noise) and c.seed is None) or type(c).__name__ == "NativeNoise"
        for c in condition.currents
    )


def noisy(condition: Condition | None) -> bool:
    """Whether a noise is among the currents."""
    return condition is not None and any(
        isinstance(c, Noise) or type(c).__name__ == "NativeNoise" for c in condition.currents
    )


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = "not there" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
