"""Baselines: a run in a small text file beside the tests, which people review as they do code.

The file is JSON: backend, versions, the experiment, and of each condition a line of spike times
(ms) a trial, written so that they are read back exactly. Potentials are kept only where asked for,
rounded to :data:`V_DIGITS` digits. A checksum over the content tells a damaged or edited file.

A baseline is stale when its experiment or a version that its result can depend on (PyNN's and the
simulator's) is not today's any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends import BACKENDS, is_remote
from backends.runstore import write_text
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording, RecordingError

FORMAT = 1
V_DIGITS = 4
"""Decimals of a kept potential in mV."""


class BaselineError(Exception):
    """The file is missing, damaged, edited, or stale; the message says what to do."""


@dataclass(frozen=True)
class Place:
    """Where a baseline is kept, and how a person makes it again."""

    path: Path
    again: str


def place(tests: Path, backend: str, experiment: Experiment, nodeid: str) -> Place:
    """The baseline of a backend and an experiment's name, beside the tests in folder `tests`."""
    live = " --live" if is_remote(backend) else ""
    return Place(
        tests / "baselines" / f"{experiment.name}-{backend}.json",
        f"python -m pytest --record-baselines{live} '{nodeid}'",
    )


# --- writing ---------------------------------------------------------------------------------


def record(where: Place, experiment: Experiment, recording: Recording, potentials: int) -> bool:
    """Write the baseline, complete or not at all; False if it was there, the same to the byte.

    potentials: of how many recorded trials a condition v is kept.
    """
    content = {
        "format": FORMAT,
        "backend": recording.backend,
        "digest": experiment.digest,
        "versions": _versions(recording),
        "experiment": _reviewable(experiment),
        "populations": [_population(p, potentials) for p in recording.populations],
    }
    text = _text({**content, "sha256": _checksum(content)}) + "\n"
    if where.path.is_file() and where.path.read_text(encoding="utf-8", errors="replace") == text:
        return False
    where.path.parent.mkdir(parents=True, exist_ok=True)
    write_text(where.path, text)
    return True


def _population(population: PopulationRecording, potentials: int) -> dict[str, Any]:
    order = np.lexsort((population.spike_times, population.spike_indices))
    indices = population.spike_indices[order]
    cuts = np.searchsorted(indices, np.arange(1, population.size))
    table: dict[str, Any] = {
        "name": population.name,
        "size": population.size,
        "spikes": [part.tolist() for part in np.split(population.spike_times[order], cuts)],
    }
    kept = min(potentials, population.v.shape[1])
    if kept:
        table["v_interval"] = population.v_interval
        table["v"] = {
            str(population.v_indices[k]): np.round(population.v[:, k], V_DIGITS).tolist()
            for k in range(kept)
        }
    return table


def _reviewable(experiment: Experiment) -> dict[str, Any]:
    """The experiment's tables, with a digest in the place of long samples and of source code.

    What does not enter the experiment's digest is left out.
    """
    data = experiment.to_dict()
    del data["description"]
    for condition in data["conditions"]:
        for current in condition["currents"]:
            current.pop("file", None)
            if "samples" in current:
                current["samples"] = _short_digest(current["samples"])
    if "model" in data:
        del data["model"]["file"]
        data["model"]["source"] = _short_digest(data["model"]["source"])
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


def _short_digest(text: str) -> str:
    return "sha256 " + hashlib.sha256(text.encode()).hexdigest()[:16]


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any, indent: str = "") -> str:
    """JSON with a line a key and a line a trial."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{json.dumps(key)}: {_text(entry, deeper)}" for key, entry in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and any(isinstance(entry, (list, dict)) for entry in value):
        lines = [_text(entry, deeper) for entry in value]
        brackets = "[]"
    else:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inside = f",\n{deeper}".join(lines)
    return f"{brackets[0]}\n{deeper}{inside}\n{indent}{brackets[1]}"


# --- reading ---------------------------------------------------------------------------------


def replay(where: Place, backend: str, experiment: Experiment) -> Recording:
    """The recording in the baseline; BaselineError if it is not today's, or not a baseline."""
    content = _read(where)
    if content["backend"] != backend:
        raise BaselineError(f"{where.path}: is of {content['backend']}, not of {backend}")
    stale = [*_changed_experiment(content, experiment), *_changed_versions(content, backend)]
    if stale:
        raise BaselineError(
            f"{where.path} is stale:\n  "
            + "\n  ".join(stale)
            + "\nIf that is meant, record it again, and look at what changed in it:\n  "
            + where.again
        )
    try:
        populations = tuple(_read_population(table) for table in content["populations"])
    except (LookupError, TypeError, ValueError) as error:  # RecordingError is a ValueError
        raise BaselineError(_damaged(where, f"its populations cannot be read: {error}")) from error
    facts = {"versions": content["versions"], "notes": [f"replayed from {where.path.name}"]}
    return Recording(experiment.to_json(), experiment.digest, backend, populations, facts)


def _read(where: Place) -> dict[str, Any]:
    try:
        text = where.path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise BaselineError(
            f"{where.path}: there is no such baseline; record it with:\n  {where.again}"
        ) from None
    except json.JSONDecodeError as error:
        why = f"not JSON, at line {error.lineno} column {error.colno} ({error.msg})"
        raise BaselineError(_damaged(where, why)) from None
    except (OSError, ValueError) as error:
        raise BaselineError(_damaged(where, f"cannot be read: {error}")) from None
    if not isinstance(content, dict) or "format" not in content:
        raise BaselineError(f"{where.path}: is not a baseline; record one with:\n  {where.again}")
    if content["format"] != FORMAT:
        raise BaselineError(
            f"{where.path}: has layout {content['format']}, but this version reads {FORMAT}; "
            f"record it again:\n  {where.again}"
        )
    checksum = content.pop("sha256", None)
    if checksum != _checksum(content):
        why = "its content is not what was recorded (the checksum differs)"
        raise BaselineError(_damaged(where, why))
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _damaged(where: Place, why: str) -> str:
    return (
        f"{where.path} is damaged or was edited: {why}; take it from version control again, "
        f"or record it again:\n  {where.again}"
    )


def _read_population(table: Mapping[str, Any]) -> PopulationRecording:
    trains = [np.array(train, dtype=np.float64) for train in table["spikes"]]
    if len(trains) != table["size"]:
        raise RecordingError(f"{len(trains)} trials in {table['name']}, not {table['size']}")
    v = table.get("v", {})
    return PopulationRecording(
        name=table["name"],
        size=table["size"],
        spike_times=np.concatenate([*trains, np.zeros(0)]),
        spike_indices=np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        v=np.array(list(v.values()), dtype=np.float64).T if v else np.zeros((0, 0)),
        v_indices=np.array([int(index) for index in v], dtype=np.int64),
        v_interval=float(table.get("v_interval", 1.0)),
    )


# --- what changed ----------------------------------------------------------------------------


def _versions(recording: Recording) -> dict[str, str]:
    """Distribution -> version, of the place where it ran."""
    entry = BACKENDS.get(recording.backend)
    if entry is None or is_remote(recording.backend):
        return {str(k): str(v) for k, v in recording.provenance.get("versions", {}).items()}
    return entry.system.versions()


def _changed_versions(content: Mapping[str, Any], backend: str) -> list[str]:
    """Of PyNN and the simulator here; of a remote place nothing is known until it runs."""
    if is_remote(backend):
        return []
    system = BACKENDS[backend].system
    now = system.versions()
    return [
        f"version of {name}: {content['versions'].get(name, 'missing')} → {now[name]}"
        for name in ("pyNN", *system.distributions, *system.own_modules)
        if content["versions"].get(name) != now[name]
    ]


def _changed_experiment(content: Mapping[str, Any], experiment: Experiment) -> list[str]:
    if content["digest"] == experiment.digest:
        return []
    before, now = dict(_leaves(content["experiment"])), dict(_leaves(_reviewable(experiment)))
    changed = [
        f"{key}: {_told(before, key)} → {_told(now, key)}"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    return changed or ["the samples of its noise: the generator of random currents has changed"]


def _told(leaves: Mapping[str, Any], key: str) -> str:
    return json.dumps(leaves[key], ensure_ascii=False) if key in leaves else "(not there)"


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every single value, conditions by their names as --set has them."""
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = [
            (entry["name"] if isinstance(entry, dict) and "name" in entry else number, entry)
            for number, entry in enumerate(value)
        ]
    else:
        yield key, value
        return
    for name, entry in entries:
        yield from _leaves(entry, f"{key}.{name}" if key else str(name))
