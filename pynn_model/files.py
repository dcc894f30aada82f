"""Experiments in files: TOML in and out, ready experiments by name, single values changed.

Not needed where an experiment runs: a run gets its experiment as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .currents import pack_samples
from .experiment import Experiment
from .schema import ExperimentError, nearest

READY = Path(__file__).with_name("experiments")
"""The folder of the ready experiments."""


def ready_experiments() -> Dict[str, Path]:
    """Name -> file of each ready experiment, sorted by name."""
    return {path.stem: path for path in sorted(READY.glob("*.toml"))}


def find(name_or_path: str) -> Path:
    """The file of a ready experiment's name or of a path (a folder means its experiment.toml).

    Raises ExperimentError where there is neither.
    """
    path = Path(name_or_path)
    if path.is_dir() and (path / "experiment.toml").is_file():
        return path / "experiment.toml"
    if path.is_file():
        return path
    ready = ready_experiments()
    if name_or_path in ready:
        return ready[name_or_path]
    raise ExperimentError(
        [
            "{}: no such file, and no ready experiment of that name{}; ready ones: {}".format(
                name_or_path, nearest(name_or_path, ready), ", ".join(ready)
            )
        ],
        name_or_path,
    )


def load(name_or_path: str, changes: Sequence[str] = ()) -> Experiment:
    """Read an experiment from a TOML file or by a ready experiment's name.

    changes: ``key=value`` texts that replace or add single values, the key dotted, a condition
    by its name or number ("neuron.parameters.tau_m=20", "conditions.noise.currents.0.stdev=0.05").
    Raises ExperimentError with all problems at once.
    """
    path = find(name_or_path)
    data = parse(path)
    problems: List[str] = []
    for change in changes:
        _apply(data, change, problems)
    _bring_in_files(data, path.parent, problems)
    return Experiment.from_dict(data, str(name_or_path), tuple(problems))


def parse(path: Path) -> Dict[str, Any]:
    """The tables of a TOML file; ExperimentError, with the line, if it is not TOML."""
    import tomllib  # Python 3.11: only where experiments are read from files

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(["not valid TOML: {}".format(error)], str(path)) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ExperimentError(["line {}: not UTF-8 text".format(line)], str(path)) from None
    except OSError as error:
        raise ExperimentError(["cannot be read: {}".format(error.strerror)], str(path)) from None


# --- --set -----------------------------------------------------------------------------------


def _apply(data: Dict[str, Any], change: str, problems: List[str]) -> None:
    import tomllib

    key, equals, text = change.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key or not text:
        problems.append("--set {}: must be key=value, such as seed=7".format(change))
        return
    try:
        value = tomllib.loads("value = {}".format(text))["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a text: --set neuron.cell_type=IF_curr_alpha
    where = _descend(data, key.split("."), key, problems)
    if where is not None:
        table, last = where
        table[last] = value


def _descend(
    data: Any, parts: List[str], key: str, problems: List[str]
) -> Optional[Tuple[Dict[str, Any], str]]:
    here = data
    while len(parts) > 1:
        if isinstance(here, list):
            here, parts = _entry(here, parts)
        elif isinstance(here, dict):
            here, parts = here.setdefault(parts[0], {}), parts[1:]
        else:
            here = None
        if here is None:
            break
    if not isinstance(here, dict) or not parts:
        names = ", ".join(str(c.get("name")) for c in data.get("conditions", []))
        problems.append(
            "--set {}: no such place; conditions are {}, currents are counted from 0".format(
                key, names or "none"
            )
        )
        return None
    return here, parts[0]


def _entry(entries: List[Any], parts: List[str]) -> Tuple[Any, List[str]]:
    """The list's entry named by the first parts: a number, or a name (which may hold dots)."""
    if parts[0].isdigit() and int(parts[0]) < len(entries):
        return entries[int(parts[0])], parts[1:]
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        for entry in entries:
            if isinstance(entry, dict) and entry.get("name") == name:
                return entry, parts[length:]
    return None, parts


# --- files that an experiment names -----------------------------------------------------------


def _bring_in_files(data: Dict[str, Any], folder: Path, problems: List[str]) -> None:
    """Put waveforms' samples and the model's source into the tables, in place."""
    model = data.get("model")
    if isinstance(model, dict) and isinstance(model.get("file"), str):
        try:
            model["source"] = (folder / model["file"]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append('model.file = "{}": cannot be read ({})'.format(model["file"], error))
    conditions = data.get("conditions")
    for condition in conditions if isinstance(conditions, list) else []:
        currents = condition.get("currents") if isinstance(condition, dict) else None
        for number, current in enumerate(currents if isinstance(currents, list) else []):
            if not isinstance(current, dict) or current.get("kind") != "waveform":
                continue
            if isinstance(current.get("file"), str):
                name = "conditions.{}.currents.{}.file".format(condition.get("name"), number)
                try:
                    current.update(pack_samples(read_waveform(folder / current["file"])))
                except ValueError as error:
                    problems.append('{} = "{}": {}'.format(name, current["file"], error))


def read_waveform(path: Path) -> np.ndarray:
    """Samples (nA) from a .npy file or a CSV file: float64 (n,) or (n, trials).

    A CSV holds a row a sample, columns separated by commas; one header line is allowed, and
    lines that begin with # are comments. Raises ValueError that says what is wrong, and where.
    """
    try:
        if path.suffix == ".npy":
            samples = np.load(path, allow_pickle=False)
        elif path.suffix in (".csv", ".txt"):
            samples = _read_csv(path)
        else:
            raise ValueError("must end in .npy, .csv or .txt")
    except OSError as error:
        raise ValueError("cannot be read ({})".format(error.strerror or error)) from None
    if samples.dtype.kind not in "fiu" or samples.ndim not in (1, 2):
        raise ValueError(
            "must hold numbers of shape (samples,) or (samples, trials), not {} of shape {}".format(
                samples.dtype, samples.shape
            )
        )
    if samples.ndim == 2 and samples.shape[1] == 1:
        samples = samples[:, 0]
    return np.ascontiguousarray(samples, dtype=np.float64)


def _read_csv(path: Path) -> np.ndarray:
    rows: List[List[float]] = []
    header_seen = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            row = [float(cell) for cell in line.split(",")]
        except ValueError:
            if rows or header_seen:
                raise ValueError("line {}: {!r} is not numbers".format(number, line[:40])) from None
            header_seen = True
            continue
        if rows and len(row) != len(rows[0]):
            raise ValueError(
                "line {}: {} columns, but {} before".format(number, len(row), len(rows[0]))
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 1)


# --- writing ---------------------------------------------------------------------------------


def write(experiment: Experiment, folder: Path) -> Path:
    """Write experiment.toml, and the files it names, into `folder`; returns the TOML's path.

    Loading that file gives an experiment with the same digest.
    """
    import tomli_w

    data = experiment.to_dict()
    if "model" in data:
        source = data["model"].pop("source")
        data["model"]["file"] = os.path.basename(data["model"]["file"])
        (folder / data["model"]["file"]).write_text(source, encoding="utf-8")
    for condition in data["conditions"]:
        for table in condition["currents"]:
            if table["kind"] == "waveform":
                samples = base64.b64decode(table["samples"])
                table["file"] = "waveform-{}.npy".format(hashlib.sha256(samples).hexdigest()[:12])
                np.save(
                    folder / table["file"], np.frombuffer(samples, "<f8").reshape(table["shape"])
                )
                del table["samples"], table["shape"]
    path = folder / "experiment.toml"
    path.write_text(tomli_w.dumps(data), encoding="utf-8")
    return path
