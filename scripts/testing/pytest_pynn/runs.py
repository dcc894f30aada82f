"""Runs for tests: each one made once, whoever asks for it, and never changed afterwards."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import neo
import numpy as np

import backends
from analysis.blocks import build_block
from pynn_model import files
from pynn_model.experiment import Experiment
from pynn_model.recording import Recording

ExperimentLike: TypeAlias = "str | os.PathLike[str] | Experiment"
"""A ready experiment's name, the path of a TOML file, or an Experiment."""


@dataclass(frozen=True, repr=False)
class BackendRun:
    """A finished run, or one that was recorded in a baseline.

    recording: its arrays cannot be written to, because other tests have the same ones.
    folder: the run's folder, with its log and the exact code; None for a baseline.
    origin: "run", or the baseline's file name.
    """

    backend: str
    experiment: Experiment
    recording: Recording
    folder: Path | None
    origin: str = "run"

    @cached_property
    def block(self) -> neo.Block:
        """The Neo block: a segment a condition, a spike train a trial; this run's own copy."""
        return build_block(self.recording, self.folder.name if self.folder else self.origin)

    def __repr__(self) -> str:
        origin = "" if self.origin == "run" else f", from {self.origin}"
        return f"<{self.experiment.name} on {self.backend}{origin}>"


def load_experiment(
    experiment: ExperimentLike, changes: Mapping[str, Any], folder: Path
) -> Experiment:
    """The experiment, with single values replaced.

    changes: value by dotted key, as --set takes them. folder: where relative paths begin.
    Raises pynn_model.schema.ExperimentError with all problems at once, TypeError for a value that
    no experiment file can hold.
    """
    texts = [f"{key}={_toml(key, value)}" for key, value in changes.items()]
    if isinstance(experiment, Experiment):
        if not texts:
            return experiment
        with tempfile.TemporaryDirectory() as temporary:
            return files.load(str(files.write(experiment, Path(temporary))), texts)
    name = os.fspath(experiment)
    is_path = not isinstance(experiment, str) or name.endswith(".toml") or os.sep in name
    return files.load(str(folder / name) if is_path else name, texts)


def _toml(key: str, value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(_toml(key, entry) for entry in value) + "]"
    if isinstance(value, (bool, int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value)
    raise TypeError(f"{key} = {value!r}: must be a number, a text, true or false, or a list")


class Runner:
    """Makes each run once: in this process by its memory, between processes by the run folder.

    runs: the folder that all processes of the session share.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._done: dict[tuple[str, str], tuple[Recording, Path]] = {}

    def run(self, backend: str, experiment: Experiment) -> BackendRun:
        """The run; raises what the backend raises, if it cannot be made."""
        key = (backend, experiment.digest)
        if key not in self._done:
            job = backends.get(backend, self.runs).submit(experiment)
            self._done[key] = (_frozen(job.result()), job.folder)
        recording, folder = self._done[key]
        return BackendRun(backend, experiment, recording, folder)


def _frozen(recording: Recording) -> Recording:
    for population in recording.populations:
        for name in ("spike_times", "spike_indices", "v", "v_indices"):
            getattr(population, name).setflags(write=False)
    return recording
