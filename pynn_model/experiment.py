"""The experiment, as data: everything a run depends on, validated, with a digest.

An :class:`Experiment` is complete: it holds the samples of waveform files and the source of a
user's own model, so its JSON text alone is enough to run it anywhere. TOML files are read and
written by :mod:`pynn_model.files`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Optional, Tuple

from . import cells, stimulus
from .currents import Current, Grid, Noise, Waveform, current_table, read_current
from .schema import ExperimentError, Quantity, Reader, is_multiple, nearest, show

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
CONDITION_NAME = r"[^\s/\\](?:[^/\\\n\r\t]{0,62}[^\s/\\])?"
TIMESTEP = Quantity("ms", low=0.001, high=10)
MAX_SAMPLES = 10**9
"""Current samples in one run; beyond that the arrays alone would take over 8 GB."""


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
        found: List[str] = list(problems)
        experiment = _read(Reader(data, "", found))
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


# --- reading ---------------------------------------------------------------------------------


def _read(r: Reader) -> Experiment:
    has_model = r.has("model")
    timestep = r.number("timestep", TIMESTEP)
    duration = r.number("duration", Quantity("ms", above=0, high=1e8))
    if math.isfinite(timestep) and math.isfinite(duration) and not is_multiple(duration, timestep):
        r.refuse("duration", "must be a whole multiple of the timestep, {:g} ms".format(timestep))
        duration = math.nan
    trials = r.integer("trials", 1, 10**6, *([1] if has_model else []))
    # A wrong number of trials must not make the neurons to record look wrong as well.
    refused = r.has("trials") and r.data["trials"] != trials
    grid = Grid(timestep, duration, 10**6 if refused else trials)
    experiment = Experiment(
        name=r.text("name", pattern=NAME, allowed="letters, digits, '_', '-' and '.', at most 64"),
        description=r.text("description", ""),
        trials=trials,
        duration=duration,
        timestep=timestep,
        seed=r.integer("seed", 0, 2**32 - 1),
        neuron=_neuron(r.table("neuron")) if r.has("neuron") or not has_model else None,
        record=_record(r.table("record"), grid, has_model),
        conditions=_conditions(r, grid, has_model),
        model=_model(r.table("model")) if has_model else None,
    )
    r.finish()
    if not r.problems:
        rows = sum(trials if stimulus.has_private(c) else 1 for c in experiment.conditions)
        if rows * experiment.n_steps > MAX_SAMPLES:
            r.problems.append(
                "trials, duration, timestep: {:.3g} current samples, at most {:.0e} are allowed; "
                "fewer trials, a shorter run or a coarser timestep".format(
                    float(rows * experiment.n_steps), MAX_SAMPLES
                )
            )
    return experiment


def _neuron(r: Reader) -> Optional[Neuron]:
    cell_type = r.choice("cell_type", tuple(cells.CELL_TYPES))
    parameters_table, values_table = r.table("parameters"), r.table("initial_values")
    r.finish()
    cell = cells.CELL_TYPES.get(cell_type, cells.ANY)
    before = len(r.problems)
    parameters = {
        name: parameters_table.number(name, cell.quantities[name], default)
        for name, default in cell.defaults.items()
    }
    misplaced = [key for key in parameters_table.data if key in cell.states]
    for key in misplaced:
        parameters_table.refuse(
            key, "is an initial value, not a parameter; put it under neuron.initial_values"
        )
    parameters_table.finish(also=misplaced)
    given = {
        name: values_table.number(name, cell.state_quantities[name])
        for name in cell.states
        if values_table.has(name)
    }
    values_table.finish()
    if not cell_type or len(r.problems) > before:
        return None
    for sentence in cell.contradictions(parameters):
        r.problems.append("neuron.parameters: {}".format(sentence))
    return Neuron(cell_type, parameters, cells.initial_values(cell_type, parameters, given))


def _record(r: Reader, grid: Grid, has_model: bool) -> Record:
    spikes = r.boolean("spikes", True)
    if r.data.get("v") == "all" and not has_model:
        r.has("v")
        v = grid.trials
    else:
        v = r.integer("v", 0, 10**6 if has_model else grid.trials, 0)
    interval = r.grid("v_interval", grid.timestep, grid.timestep)
    if interval == 0:
        r.refuse("v_interval", "must be at least one timestep")
    elif math.isfinite(interval + grid.duration) and not is_multiple(grid.duration, interval):
        r.refuse("v_interval", "must divide the duration, {:g} ms".format(grid.duration))
    if not spikes and v == 0:
        r.problems.append("record: nothing is recorded; set spikes = true or v to at least 1")
    r.finish()
    return Record(spikes, v, interval)


def _conditions(r: Reader, grid: Grid, has_model: bool) -> Tuple[Condition, ...]:
    entries = r.raw("conditions", [] if has_model else None)
    if entries is None:
        entries = []
    if not isinstance(entries, list) or (not entries and not has_model):
        r.problems.append(
            "conditions: at least one is needed, each as [[conditions]] with a name and "
            "[[conditions.currents]]"
        )
        return ()
    conditions: List[Condition] = []
    for number, entry in enumerate(entries):
        label = entry.get("name") if isinstance(entry, dict) else None
        path = "conditions.{}".format(label if isinstance(label, str) and label else number)
        conditions.extend(_condition(Reader(entry, path, r.problems), grid))
    seen: Dict[str, int] = {}
    for condition in conditions:
        seen[condition.name] = seen.get(condition.name, 0) + 1
    for name, times in seen.items():
        if name and times > 1:
            r.problems.append(
                "conditions.{}: the name {} is given {} times; each condition needs its own".format(
                    name, show(name), times
                )
            )
    return tuple(conditions)


def _condition(r: Reader, grid: Grid) -> List[Condition]:
    name = r.text("name", pattern=CONDITION_NAME, allowed="1 to 64 characters, no slash")
    if r.has("sweep"):
        return _swept(r, grid, name)
    level = r.number("level", Quantity("")) if r.has("level") else None
    series = r.text("series", "")
    currents = _currents(r, grid)
    r.finish()
    return [Condition(name, currents, series, level)]


def _currents(r: Reader, grid: Grid) -> Tuple[Current, ...]:
    entries = r.raw("currents", what="a list of tables, each with a kind")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        r.refuse("currents", "must be a list of tables, each with a kind")
        return ()
    read = [
        read_current(Reader(entry, "{}.{}".format(r.name("currents"), k), r.problems), grid)
        for k, entry in enumerate(entries)
    ]
    return tuple(current for current in read if current is not None)


def _swept(r: Reader, grid: Grid, name: str) -> List[Condition]:
    """One condition for each value of one key, e.g. the amplitudes of an f-I curve."""
    sweep = r.table("sweep")
    key = sweep.text("key", allowed='a key of this condition, such as "currents.0.amplitude"')
    values = _sweep_values(sweep)
    sweep.finish()
    conditions: List[Condition] = []
    for value in values:
        data = json.loads(json.dumps({k: v for k, v in r.data.items() if k != "sweep"}))
        level_name = "{} {:g}".format(name, value)
        if not _put(data, key.split("."), value):
            sweep.refuse("key", 'must name a key of this condition, such as "currents.0.amplitude"')
            break
        data["name"] = level_name
        before = len(r.problems)
        swept = _condition(Reader(data, r.path, r.problems), grid)
        conditions.extend(Condition(c.name, c.currents, name, value) for c in swept)
        if len(r.problems) > before:
            break  # the other levels would only repeat it
    return conditions


def _sweep_values(sweep: Reader) -> List[float]:
    anything = Quantity("the swept key's unit")
    if sweep.has("values"):
        raw = sweep.raw("values")
        if not isinstance(raw, list) or not raw:
            sweep.refuse("values", "must be a list of at least one number")
            return []
        read = [sweep.check_number(sweep.name("values"), value, anything) for value in raw]
        return [value for value in read if math.isfinite(value)]
    first, last = sweep.number("start", anything), sweep.number("stop", anything)
    count = sweep.integer("num", 2, 1000)
    if not math.isfinite(first + last):
        return []
    # Decimal fractions stay what a person would write: 0.15, not 0.15000000000000002.
    return [round(first + (last - first) * k / (count - 1), 12) for k in range(count)]


def _put(data: Any, path: List[str], value: Any) -> bool:
    """Set the value at a dotted path of tables and lists; False where the path does not exist."""
    for part in path[:-1]:
        if isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            return False
    if not isinstance(data, dict):
        return False
    data[path[-1]] = value
    return True


# --- a user's own model ----------------------------------------------------------------------


def _model(r: Reader) -> Optional[Model]:
    file, source = r.text("file"), r.text("source", "")
    given = r.table("parameters")
    r.finish()
    if not source:
        return None  # the file could not be read, which is already noted
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        r.refuse("file", "is not valid Python: {} (line {})".format(error.msg, error.lineno))
        return None
    _check_build(r, tree)
    defaults = _declared_parameters(r, tree)
    for key in given.data:
        if key not in defaults:
            r.problems.append(
                "{} = {}: {} declares no such parameter{}; it declares: {}".format(
                    given.name(key),
                    show(given.data[key]),
                    file,
                    nearest(key, defaults),
                    ", ".join(sorted(defaults)) or "none (PARAMETERS = {...} at its top level)",
                )
            )
        elif not _same_kind(given.data[key], defaults[key]):
            given.refuse(
                key, "must be of the same kind as its default, {}".format(show(defaults[key]))
            )
    parameters = dict(defaults, **given.data)
    for key, default in defaults.items():
        if isinstance(default, float) and _same_kind(parameters[key], default):
            parameters[key] = float(parameters[key])  # 80 and 80.0 are one experiment
    return Model(file, source, parameters)


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    return type(value) is type(default)


def _check_build(r: Reader, tree: ast.Module) -> None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            if len(node.args.args) != 2:
                r.refuse("file", "build must take two arguments: build(sim, experiment)")
            return
    r.refuse("file", "must define build(sim, experiment) at its top level")


def _declared_parameters(r: Reader, tree: ast.Module) -> Dict[str, Any]:
    """The literal ``PARAMETERS = {...}`` of the model file, read without running the file."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "PARAMETERS" for target in node.targets
        ):
            try:
                declared = ast.literal_eval(node.value)
                json.dumps(declared, allow_nan=False)
            except (ValueError, TypeError):
                declared = None
            if not isinstance(declared, dict) or not all(isinstance(k, str) for k in declared):
                r.refuse("file", "PARAMETERS must be a literal dict of numbers, texts and lists")
                return {}
            return declared
    return {}
