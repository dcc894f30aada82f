"""What a run brings home: spike times, potentials, and where they came from.

A :class:`Recording` is arrays and text only, so it can cross process and network borders as an
``.npz`` file that is read without pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any, Dict, Tuple

import numpy as np

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
)
"""What reading a damaged file, or one of another kind, can raise."""

FORMAT = 1
"""Layout of the file; a reader refuses any other."""


class RecordingError(ValueError):
    """The file is not a recording, is damaged, or contradicts itself."""


@dataclass(frozen=True)
class PopulationRecording:
    """Spikes and potentials of one population: the trials of one condition.

    name: the condition, or the user's own name of the population.
    size: number of neurons; neuron k is trial k.
    spike_times: float64 (n,), ms, sorted by (spike_indices, time).
    spike_indices: int64 (n,), 0 .. size - 1.
    v: float64 (n_samples, n_recorded), mV; sample j was taken at j * v_interval.
    v_indices: int64 (n_recorded,), the neurons of v's columns.
    v_interval: ms.

    Raises RecordingError where the arrays contradict each other.
    """

    name: str
    size: int
    spike_times: np.ndarray
    spike_indices: np.ndarray
    v: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    v_indices: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    v_interval: float = 1.0

    def __post_init__(self) -> None:
        def refuse(why: str) -> None:
            raise RecordingError("recording of {!r}: {}".format(self.name, why))

        if self.spike_times.ndim != 1 or self.spike_times.shape != self.spike_indices.shape:
            refuse("spike_times and spike_indices must be of one length")
        if not np.all(np.isfinite(self.spike_times)):
            refuse("a spike time is not a finite number")
        outside = (self.spike_indices < 0) | (self.spike_indices >= self.size)
        if np.any(outside):
            refuse(
                "a spike of neuron {}, but there are {}".format(
                    int(self.spike_indices[outside][0]), self.size
                )
            )
        if self.v.ndim != 2 or self.v.shape[1] != len(self.v_indices):
            refuse("v must have one column for each of v_indices")
        if not np.all(np.isfinite(self.v)):
            refuse("a membrane potential is not a finite number")


@dataclass(frozen=True)
class Recording:
    """The result of one run.

    experiment: the complete experiment as JSON text (``Experiment.to_json``).
    digest: the experiment's digest.
    backend: the name of the backend that ran it.
    populations: one entry a condition, in the experiment's order.
    provenance: JSON-able facts about the run (versions, times, host, notes, ...).
    """

    experiment: str
    digest: str
    backend: str
    populations: Tuple[PopulationRecording, ...]
    provenance: Dict[str, Any]

    def save(self, path: str) -> None:
        """Write the recording to `path` (.npz), under a temporary name first."""
        header = {
            "format": FORMAT,
            "experiment": self.experiment,
            "digest": self.digest,
            "backend": self.backend,
            "provenance": self.provenance,
            "populations": [
                {"name": p.name, "size": p.size, "v_interval": p.v_interval}
                for p in self.populations
            ],
        }
        arrays: Dict[str, Any] = {
            "header": np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)
        }
        for number, population in enumerate(self.populations):
            for key in ("spike_times", "spike_indices", "v", "v_indices"):
                arrays["{}_{}".format(key, number)] = getattr(population, key)
        temporary = "{}.part-{}".format(path, os.getpid())
        try:
            with open(temporary, "wb") as stream:
                np.savez(stream, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)

    @classmethod
    def load(cls, path: str) -> Recording:
        """Read a recording; RecordingError if `path` holds none or a damaged one."""
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return cls._from_arrays({key: archive[key] for key in archive.files})
        except FileNotFoundError:
            raise
        except RecordingError as error:
            raise RecordingError("{}: {}".format(path, error)) from None
        except DAMAGED as error:
            raise RecordingError(
                "{}: not a recording, or a damaged one ({})".format(path, error)
            ) from error

    @classmethod
    def _from_arrays(cls, arrays: Dict[str, np.ndarray]) -> Recording:
        header = json.loads(arrays["header"].tobytes().decode("utf-8"))
        if header["format"] != FORMAT:
            raise RecordingError(
                "layout {}, but this version reads {}".format(header["format"], FORMAT)
            )
        populations = tuple(
            PopulationRecording(
                name=entry["name"],
                size=int(entry["size"]),
                spike_times=arrays["spike_times_{}".format(k)].astype(np.float64),
                spike_indices=arrays["spike_indices_{}".format(k)].astype(np.int64),
                v=arrays["v_{}".format(k)].astype(np.float64),
                v_indices=arrays["v_indices_{}".format(k)].astype(np.int64),
                v_interval=float(entry["v_interval"]),
            )
            for k, entry in enumerate(header["populations"])
        )
        return cls(
            header["experiment"],
            header["digest"],
            header["backend"],
            populations,
            header["provenance"],
        )
