"""Reading an experiment from plain tables, with every problem found at once."""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Optional, Tuple

from . import cells, stimulus
from .currents import Current, Grid, read_current
from .experiment import Condition, Experiment, Neuron, Record
from .own_model import read_model
from .schema import Quantity, Reader, is_multiple, show

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
CONDITION_NAME = r"[^\s/\\](?:[^/\\\n\r\t]{0,62}[^\s/\\])?"
TIMESTEP = Quantity("ms", low=0.001, high=10)
MAX_SAMPLES = 10**9
"""Current samples in one run; beyond that the arrays alone would take over 8 GB."""


def read_experiment(r: Reader) -> Experiment:
    """Read the tables of an experiment; what is wrong with them is noted in r.problems."""
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
        model=read_model(r.table("model")) if has_model else None,
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
        # A whole number may stand where a seed is wanted, and is as good as any other elsewhere.
        exact = int(value) if value == int(value) else value
        if not _put(data, key.split("."), exact):
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
