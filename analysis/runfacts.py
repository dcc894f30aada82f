"""What a block says of the run that it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import neo

from pynn_model.experiment import Experiment
from pynn_model.schema import ExperimentError


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run; "" and None where its file says nothing.

    label: how to call the run. backend: our name of it, or "pyNN.SIMULATOR" for a file that a
    PyNN script wrote by itself: such spikes do not follow this project's convention. timestep,
    duration: ms. trials: of one run. seeds: of all runs, if there are several. versions, effective:
    of software and of the cells' parameters as the simulator had them.
    """

    label: str = ""
    backend: str = ""
    run_id: str = ""
    experiment: str = ""
    digest: str = ""
    timestep: float | None = None
    duration: float | None = None
    seed: int | None = None
    seeds: tuple[int | None, ...] = ()
    trials: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    effective: Mapping[str, Any] = field(default_factory=dict)
    experiment_text: str = field(default="", repr=False)

    @property
    def ours(self) -> bool:
        """Whether one of this project's backends made the run."""
        return bool(self.experiment_text)

    @cached_property
    def plan(self) -> Experiment | None:
        """The run's experiment, where the file holds it."""
        return _experiment(self.experiment_text)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; without the experiment's text."""
        data = asdict(self)
        del data["experiment_text"]
        return data


def run_facts(blocks: Sequence[neo.Block]) -> RunFacts:
    """The facts of some runs of one experiment (the first one's, with all seeds)."""
    block = blocks[0]
    notes = dict(block.annotations)
    text = str(notes.get("experiment_text") or "")
    run_id = str(notes.get("run_id") or "")
    backend = str(notes.get("backend") or "") or _pynn_backend(notes)
    label = run_id or str(block.name or "") or backend or "a file"
    if len(blocks) > 1:
        label += f" and {len(blocks) - 1} more"
    return RunFacts(
        label=label,
        backend=backend,
        run_id=run_id,
        experiment=str(notes.get("experiment") or ""),
        digest=str(notes.get("digest") or ""),
        timestep=_number(notes.get("timestep", notes.get("dt"))),
        duration=_number(notes.get("duration")),
        seed=_whole(notes.get("seed")),
        seeds=tuple(_whole(each.annotations.get("seed")) for each in blocks),
        trials=_whole(notes.get("trials")),
        versions=_table(notes.get("versions")),
        notes=str(notes.get("notes") or ""),
        effective=_table(notes.get("effective")),
        experiment_text=text,
    )


def _pynn_backend(notes: Mapping[str, Any]) -> str:
    simulator = str(notes.get("simulator") or "")
    return f"pyNN.{simulator.lower()}" if simulator else ""


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or not number.is_integer() else int(number)


def _table(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    try:
        table = json.loads(value)
    except (TypeError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _experiment(text: str) -> Experiment | None:
    if not text:
        return None
    try:
        return Experiment.from_json(text)
    except ExperimentError:  # of a later or an earlier version: then the spikes alone must do
        return None
