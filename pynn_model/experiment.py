"""The experiment, as data: everything a run depends on, validated, with a digest.

An :class:`Experiment` is complete: it holds the samples of waveform files and the source of a
user's own model, so its JSON text alone is enough to run it anywhere. TOML files are read and
written by :mod:`pynn_model.files`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Optional, Tuple

from . import stimulus
from .currents import Current, Noise, Waveform, current_table
from .schema import ExperimentError, Reader


@dataclass(frozen=True)
class Neuron:
    """A PyNN standard cell type, all its parameters, and the initial value of each state."""

    cell_type: str
    parameters: Dict[str, float]
    initial_values: Dict[str, float]


@dataclass(frozen=True)
class Record:
    """What to keep: spikes; v (mV) of the first `v` neurons of a condition every v_interval ms."""

    spikes: bool
    v: int
    v_interval: float


@dataclass(frozen=True)
class Condition:
    """A name and a sum of currents. A swept condition also has its series and its level."""

    name: str
    currents: Tuple[Current, ...]
    series: str = ""
    level: Optional[float] = None


@dataclass(frozen=True)
class Model:
    """A user's own model: the source of a file with ``build(sim, experiment)``.

    parameters: the file's own ``PARAMETERS``, with the experiment's values in their place.
    """

    file: str
    source: str
    parameters: Dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """A complete, valid experiment. Build one with :meth:`from_dict` or ``files.load``.

    duration, timestep: ms. seed: for every random number of the run. neuron: None only where a
    user's own model brings its own.
    """

    name: str
    description: str
    trials: int
    duration: float
    timestep: float
    seed: int
    neuron: Optional[Neuron]
    record: Record
    conditions: Tuple[Condition, ...]
    model: Optional[Model] = None

    @property
    def n_steps(self) -> int:
        """Number of timesteps of the run."""
        return int(round(self.duration / self.timestep))

    def condition(self, name: str) -> Condition:
        """The condition of that name; KeyError, with the names there are, if there is none."""
        for condition in self.conditions:
            if condition.name == name:
                return condition
        names = ", ".join(c.name for c in self.conditions) or "none"
        raise KeyError("no condition {!r}; the experiment has: {}".format(name, names))

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the user's own model (a copy)."""
        return dict(self.model.parameters) if self.model else {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that determines the result, samples included.

        The description and the names of files are left out. Of private noise the first trial's
        samples are included: they stand for the generator, which makes all the others too.
        """
        data = self.to_dict()
        del data["description"]
        for condition in data["conditions"]:
            for current in condition["currents"]:
                current.pop("file", None)
        if "model" in data:
            del data["model"]["file"]
        data["generator"] = stimulus.GENERATOR
        digest = hashlib.sha256(_canonical(data).encode("utf-8"))
        for condition in self.conditions:
            if any(isinstance(c, (Noise, Waveform)) for c in condition.currents):
                digest.update(stimulus.shared_current(self, condition).astype("<f8").tobytes())
                if stimulus.has_private(condition):
                    sample = stimulus.private_current(self, condition, 0)
                    digest.update(sample.astype("<f8").tobytes())
        return digest.hexdigest()

    def to_dict(self) -> Dict[str, Any]:
        """Plain tables, lists, text and numbers; :meth:`from_dict` reads back an equal one."""
        data: Dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "trials": self.trials,
            "duration": self.duration,
            "timestep": self.timestep,
            "seed": self.seed,
            "record": {
                "spikes": self.record.spikes,
                "v": self.record.v,
                "v_interval": self.record.v_interval,
            },
            "conditions": [_condition_table(c) for c in self.conditions],
        }
        if self.neuron:
            data["neuron"] = {
                "cell_type": self.neuron.cell_type,
                "parameters": dict(self.neuron.parameters),
                "initial_values": dict(self.neuron.initial_values),
            }
        if self.model:
            data["model"] = {
                "file": self.model.file,
                "source": self.model.source,
                "parameters": dict(self.model.parameters),
            }
        return data

    def to_json(self) -> str:
        """The complete experiment as one line of JSON, the same bytes for equal experiments."""
        return _canonical(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """The experiment of :meth:`to_json`; ExperimentError if the text is not valid."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ExperimentError(["not JSON: {}".format(error)]) from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any, source: str = "", problems: Tuple[str, ...] = ()) -> Experiment:
        """Read and check an experiment.

        data: nested tables as a TOML file gives them, with waveforms' samples and the model's
        source put in. source: where it came from, for messages. problems: those already found.
        Raises ExperimentError with all problems at once.
        """
        from .reading import read_experiment  # which needs the classes of this module

        found: List[str] = list(problems)
        experiment = read_experiment(Reader(data, "", found))
        if found:
            raise ExperimentError(found, source)
        return experiment


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _condition_table(condition: Condition) -> Dict[str, Any]:
    table: Dict[str, Any] = {
        "name": condition.name,
        "currents": [current_table(current) for current in condition.currents],
    }
    if condition.series:
        table["series"] = condition.series
    if condition.level is not None:
        table["level"] = condition.level
    return table
