"""Fixtures of the remote tests: a rehearsal of the queue, and jobs that take no time.

Use with `from remote_fixtures import rehearsal` (a queue on loopback whose jobs end at once with
a made-up recording of the right experiment), or `nest_rehearsal` (whose jobs run on NEST).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.rehearsal import Rehearsal
from backends.rehearsal.execution import Execution
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording

TOKEN_START = "eyJhbGciOi"
"""How every token of a rehearsal begins."""
LOG = "Running from a temporary directory\nstep 1\nstep 2\nsaved the recording\n"


def experiment_in(script: str) -> Experiment:
    """The experiment that a run.py of backends.bundle holds."""
    namespace: dict = {"__name__": "looked_at", "__file__": "/nonexistent/run.py"}
    exec(compile(script, "run.py", "exec"), namespace)
    return Experiment.from_json(namespace["FILES"]["experiment.json"])


def made_up_recording(experiment: Experiment) -> Recording:
    """A recording with the right digest and shapes, in which neuron i fires at i + 1 ms."""
    populations = []
    for condition in experiment.conditions:
        trials = np.arange(experiment.trials)
        times = np.minimum(trials + 1.0, experiment.duration)
        kept = min(experiment.record.v, experiment.trials)
        samples = int(round(experiment.duration / experiment.record.v_interval)) if kept else 0
        populations.append(
            PopulationRecording(
                name=condition.name,
                size=experiment.trials,
                spike_times=times,
                spike_indices=trials.astype(np.int64),
                v=np.full((samples, kept), -65.0),
                v_indices=np.arange(kept, dtype=np.int64),
                v_interval=experiment.record.v_interval,
            )
        )
    return Recording(
        experiment=experiment.to_json(),
        digest=experiment.digest,
        backend="spiNNaker",
        populations=tuple(populations),
        provenance={"system": "spiNNaker", "versions": {"sPyNNaker": "made up"}, "notes": []},
    )


class MadeUp:
    """An executor that leaves a made-up recording at once, or runs any other script as it is.

    runs: the number of times it was called; log: what a job writes; status: how it ends.
    """

    def __init__(self, log: str = LOG, status: int = 0) -> None:
        self.log = log
        self.status = status
        self.runs = 0

    def __call__(self, execution: Execution) -> int:
        self.runs += 1
        execution.say(self.log)
        script = (execution.folder / "run.py").read_text(encoding="utf-8")
        experiment = experiment_in(script)
        name = f"recording-{experiment.digest[:12]}-{self.runs:08x}.npz"
        made_up_recording(experiment).save(str(execution.folder / name))
        return self.status


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    """A queue whose jobs end at once, with a made-up recording."""
    with Rehearsal(executor=MadeUp()) as running:
        yield running


@pytest.fixture
def nest_rehearsal() -> Iterator[Rehearsal]:
    """A queue whose jobs run on NEST, in a subprocess each."""
    with Rehearsal("nest") as running:
        yield running


def files_holding(folder: Path, secret: str) -> list[Path]:
    """The files below a folder that contain `secret`."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if secret.encode() in path.read_bytes()]


def processes_holding(secret: str) -> list[str]:
    """Command lines, of all processes of this machine, that contain `secret` (Linux)."""
    if sys.platform != "linux":
        return []
    lines = []
    for process in Path("/proc").iterdir():
        if re.fullmatch(r"\d+", process.name):
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if secret.encode() in line:
                lines.append(line.decode(errors="replace"))
    return lines
