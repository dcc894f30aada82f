"""Recordings and files as Neo blocks: the one place that builds, reads and writes them.

A block holds a segment for each condition and a spike train for each trial. Everything after it
(measures, figures, comparison) takes blocks, whether they come from a run folder, from a NIX or
MATLAB file, or from any other program whose files Neo reads.

Block annotations: experiment, digest, experiment_text (JSON), backend, versions (JSON), effective
(JSON: population -> parameters as the simulator held them), timestep (ms), duration (ms), seed,
trials, run_id, notes. Segment annotations: condition, series, and level where the condition has
one. Train annotations: trial, neuron_id, condition, backend.
Signals: ``v`` (mV) and ``private_current`` (nA), a column for each neuron whose potential was
kept, its number in the array annotation ``trial``; ``stimulus`` (nA), the current all trials share.
Annotations are text and plain numbers only, because NIX keeps nothing else faithfully.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, time
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from pynn_model import stimulus
from pynn_model.experiment import Condition, Experiment
from pynn_model.recording import PopulationRecording, Recording, RecordingError

NIX_TRAINS_LIMIT = 200
"""Spike trains up to which a run writes its NIX file by itself: 1000 trains take about 14 s."""

RECORDING_FILE = "recording.npz"

FORMATS = {
    "nix": "NIX (HDF5), everything exact",
    "mat": "MATLAB 5; without the array annotation `trial` of v and private_current",
}
"""What :func:`write_block` can write, and how faithful each is."""


class BlockError(ValueError):
    """A block cannot be read from, or written to, the place it was asked for."""


# --- building --------------------------------------------------------------------------------


def build_block(recording: Recording, run_id: str = "") -> neo.Block:
    """The Neo block of a recording.

    The spike trains stay two arrays (``segment.spiketrains.multiplexed``) until one of them is
    asked for, so that a large population costs nothing. The currents are computed again from the
    experiment, which determines them.

    Raises pynn_model.schema.ExperimentError if the recording's experiment is not valid.
    """
    experiment = Experiment.from_json(recording.experiment)
    block = neo.Block(
        name=run_id or experiment.name,
        experiment=experiment.name,
        digest=recording.digest,
        experiment_text=recording.experiment,
        backend=recording.backend,
        versions=json.dumps(recording.provenance.get("versions", {}), sort_keys=True),
        effective=json.dumps(recording.provenance.get("effective_parameters", {}), sort_keys=True),
        timestep=float(experiment.timestep),
        duration=float(experiment.duration),
        seed=int(experiment.seed),
        trials=int(experiment.trials),
        run_id=run_id,
        notes=_notes(recording.provenance.get("notes", "")),
    )
    # The populations of a user's own model are not conditions, even if one has such a name.
    conditions = {} if experiment.model else {c.name: c for c in experiment.conditions}
    for population in recording.populations:
        condition = conditions.get(population.name)
        segment = _segment(population, experiment, condition, recording.backend)
        block.segments.append(segment)
    return block


def _notes(notes: Any) -> str:
    return notes if isinstance(notes, str) else "\n".join(str(note) for note in notes)


def _segment(
    population: PopulationRecording,
    experiment: Experiment,
    condition: Condition | None,
    backend: str,
) -> neo.Segment:
    segment = neo.Segment(name=population.name, condition=population.name, series="")
    if condition is not None:
        segment.annotate(series=condition.series)
        if condition.level is not None:
            segment.annotate(level=float(condition.level))
    segment.spiketrains = _spiketrains(population, experiment.duration, backend)
    segment.spiketrains.segment = segment
    if population.v.size:
        columns = population.v_indices
        segment.analogsignals.append(
            _signal("v", population.v, "mV", population.v_interval, columns)
        )
    if condition is not None:
        shared = stimulus.shared_current(experiment, condition)[:, np.newaxis]
        segment.analogsignals.append(_signal("stimulus", shared, "nA", experiment.timestep))
        if population.v.size and stimulus.has_private(condition):
            columns = population.v_indices
            private = stimulus.private_currents(experiment, condition, columns.tolist()).T
            segment.analogsignals.append(
                _signal("private_current", private, "nA", experiment.timestep, columns)
            )
    return segment


def _spiketrains(population: PopulationRecording, duration: float, backend: str) -> SpikeTrainList:
    neurons = list(range(population.size))
    return SpikeTrainList.from_spike_time_array(
        population.spike_times,
        population.spike_indices,
        all_channel_ids=neurons,
        units="ms",
        t_start=0.0 * pq.ms,
        t_stop=duration * pq.ms,
        trial=neurons,
        neuron_id=neurons,
        condition=population.name,
        backend=backend,
    )


def _signal(
    name: str, values: np.ndarray, units: str, period: float, trials: np.ndarray | None = None
) -> neo.AnalogSignal:
    """values: (n_samples, n_columns), from t = 0 on, a sample each `period` ms."""
    columns = None if trials is None else {"trial": np.asarray(trials, dtype=np.int64)}
    return neo.AnalogSignal(
        values,
        units=units,
        sampling_period=period * pq.ms,
        t_start=0.0 * pq.ms,
        name=name,
        array_annotations=columns,
    )


# --- asking a block --------------------------------------------------------------------------


def signal(segment: neo.Segment, name: str) -> neo.AnalogSignal | None:
    """The segment's signal of that name, or None."""
    return next((found for found in segment.analogsignals if found.name == name), None)


# --- reading ---------------------------------------------------------------------------------


def load_block(path: str | os.PathLike[str]) -> neo.Block:
    """The block at `path`: a run folder, a recording (.npz), or any file that Neo reads.

    A block written by :func:`write_block` as NIX comes back equal to the one that was written.
    Of a file with several blocks, the first is taken. Pickles are refused: reading one runs
    whatever program it holds.

    Raises BlockError if there is nothing, or nothing readable, at `path`.
    """
    where = Path(path)
    if where.is_dir():
        if not (where / RECORDING_FILE).is_file():
            raise BlockError(f"{where}: not a finished run, there is no {RECORDING_FILE} in it")
        return _load_recording(where / RECORDING_FILE, run_id=where.resolve().name)
    if not where.is_file():
        raise BlockError(f"{where}: there is no such file or folder")
    suffix = where.suffix.lower()
    if suffix == ".npz":
        in_run = where.name == RECORDING_FILE and (where.parent / "provenance.json").is_file()
        return _load_recording(where, run_id=where.resolve().parent.name if in_run else "")
    if suffix in (".pkl", ".pickle"):
        raise BlockError(f"{where}: pickles are not read, because they can run any program")
    return _tidied(_read_with_neo(where))


def _load_recording(path: Path, run_id: str) -> neo.Block:
    try:
        recording = Recording.load(str(path))
        return build_block(recording, str(recording.provenance.get("run_id", run_id)))
    except RecordingError as error:
        raise BlockError(str(error)) from error
    except ValueError as error:  # the experiment in it
        raise BlockError(f"{path}: {error}") from error


def _read_with_neo(path: Path) -> neo.Block:
    try:
        kinds = neo.io.list_candidate_ios(path)
    except ValueError as error:
        raise BlockError(f"{path}: {error}") from error
    reasons = []
    for kind in kinds:
        try:
            # NIX would otherwise open the file for writing.
            reader = kind(str(path), mode="ro") if kind is neo.io.NixIO else kind(str(path))
            try:
                blocks = reader.read()
            finally:
                if hasattr(reader, "close"):
                    reader.close()
            if blocks and isinstance(blocks[0], neo.Block):
                return blocks[0]
            reasons.append("there is no Neo block in it")
        except Exception as error:  # each of Neo's 60 readers has errors of its own
            reasons.append(f"{type(error).__name__}: {error}")
    raise BlockError(f"{path}: cannot be read ({'; '.join(dict.fromkeys(reasons))})")


def _tidied(block: neo.Block) -> neo.Block:
    """Take away what the file format added, and give the annotations their types back."""
    ours = "experiment_text" in block.annotations
    for item in _items(block):
        item.annotations.pop("nix_name", None)
        for key, value in item.annotations.items():
            item.annotations[key] = _plain(value, ours)
        item.name = item.name or None  # NIX makes "" of no name
        if ours and hasattr(item, "rec_datetime"):
            item.rec_datetime = None  # NIX puts in when the file was made
    return block


def _items(block: neo.Block) -> Iterator[Any]:
    yield block
    yield from block.groups
    for segment in block.segments:
        yield segment
        yield from segment.data_children


def _plain(value: Any, ours: bool) -> Any:
    """A Python number for a numpy one; for MATLAB's empty array the text it was in our blocks."""
    if ours and isinstance(value, np.ndarray) and value.size == 0:
        return ""
    scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return value.item() if scalar and not isinstance(value, pq.Quantity) else value


# --- writing ---------------------------------------------------------------------------------


def write_block(block: neo.Block, path: str | os.PathLike[str], format: str) -> None:
    """Write `block` to `path` as `format`, one of :data:`FORMATS`.

    The file appears under its name only when it is complete. The block stays as it was.
    What a format cannot hold is left out or written as text: annotations that are None, tables,
    arrays of several dimensions; the microseconds of a date.

    Raises BlockError for an unknown format, and if the file cannot be written.
    """
    writers = {"nix": _write_nix, "mat": _write_mat}
    if format not in writers:
        known = "; ".join(f"{name}: {what}" for name, what in FORMATS.items())
        raise BlockError(f"format {format!r} is not known; there are {known}")
    target = Path(path)
    if not target.parent.is_dir():
        raise BlockError(f"{target}: there is no folder {target.parent}")
    # The suffix stays last: MATLAB's writer would add it.
    temporary = target.with_name(f".{target.name}.part-{os.getpid()}.{format}")
    try:
        with _storable_annotations(block):
            writers[format](block, str(temporary))
        os.replace(temporary, target)
    except Exception as error:
        raise BlockError(f"{target}: cannot be written ({error})") from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _write_nix(block: neo.Block, path: str) -> None:
    with neo.io.NixIO(path, mode="ow") as writer:
        writer.write_block(block)


def _write_mat(block: neo.Block, path: str) -> None:
    neo.io.NeoMatlabIO(path).write_block(block)


@contextmanager
def _storable_annotations(block: neo.Block) -> Iterator[None]:
    """For the time of writing, every annotation is one that the file formats keep."""
    before = [(item, item.annotations) for item in _items(block)]
    try:
        for item, annotations in before:
            item.annotations = {
                str(key): _storable(value)
                for key, value in annotations.items()
                if value is not None and key != "nix_name"
            }
        yield
    finally:
        for item, annotations in before:
            item.annotations = annotations


def _storable(value: Any) -> Any:
    if isinstance(value, (str, bytes, bool, int, float, np.generic, pq.Quantity, date, time)):
        return value
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1:
        return value
    return json.dumps(value, default=str)
