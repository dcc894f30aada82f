"""The experiment as data: what it refuses, what its digest means, what survives a file."""

import copy
import json
import math
import os
import subprocess
import sys

import pytest

from pynn_model import files
from pynn_model.cells import CELL_TYPES
from pynn_model.experiment import Experiment
from pynn_model.schema import ExperimentError

# Recorded once; equal on every platform, process and numpy.
DIGESTS = {}

BASE = {
    "name": "base",
    "trials": 3,
    "duration": 100.0,
    "timestep": 0.1,
    "seed": 5,
    "neuron": {"cell_type": "IF_curr_exp", "parameters": {"tau_m": 30.0}},
    "record": {"v": 2, "v_interval": 0.5},
    "conditions": [
        {"name": "dc", "currents": [{"kind": "constant", "amplitude": 0.2}]},
        {
            "name": "noise",
            "currents": [
                {"kind": "noise", "spectrum": "ou", "tau": 3.0, "stdev": 0.1, "shared": True},
                {"kind": "noise", "spectrum": "white", "stdev": 0.02, "dt": 1.0, "shared": False},
            ],
        },
    ],
}

EVERY_CURRENT = [
    {"kind": "constant", "amplitude": 0.2, "start": 1.0, "stop": 90.0},
    {"kind": "pulse", "amplitude": 0.2, "start": 10.0, "stop": 20.0, "period": 30.0},
    {"kind": "impulse", "charge": 1.0, "time": 5.0},
    {"kind": "ramp", "amplitude_start": 0.1, "amplitude_stop": 0.2, "start": 5.0, "stop": 50.0},
    {
        "kind": "sinusoid",
        "amplitude": 0.1,
        "frequency": 20.0,
        "phase": 90.0,
        "offset": 0.1,
        "start": 10.0,
        "stop": 70.0,
    },
    {"kind": "native", "mean": 0.1, "stdev": 0.1, "dt": 0.5, "start": 10.0, "stop": 70.0},
]


def base(**changes):
    data = copy.deepcopy(BASE)
    data.update(changes)
    return data


def refused(data):
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_dict(data)
    return caught.value.problems


def put(data, path, value):
    *way, last = path.split(".")
    for part in way:
        data = data[int(part)] if isinstance(data, list) else data.setdefault(part, {})
    data[int(last) if isinstance(data, list) else last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("durations", 1.0, ["durations = 1.0", "unknown key", "duration?"]),
        ("neuron.parameters.taum", 20.0, ["neuron.parameters.taum = 20.0", "tau_m?"]),
        ("neuron.parameters.tau_m", "30 ms", ['tau_m = "30 ms"', "bare number, in ms"]),
        ("neuron.parameters.tau_m", math.nan, ["tau_m = nan", "finite"]),
        ("neuron.parameters.tau_m", 0.0, ["tau_m = 0.0", "greater than 0"]),
        ("neuron.parameters.cm", 250.0, ["cm = 250.0", "pF"]),
        ("neuron.parameters.v", -70.0, ["neuron.parameters.v", "neuron.initial_values"]),
        ("neuron.parameters.v_reset", -40.0, ["v_reset", "v_thresh"]),
        ("neuron.initial_values", {"V": -70.0}, ["neuron.initial_values.V", "did you mean v?"]),
        ("neuron.cell_type", "IF_cur_exp", ["neuron.cell_type", "did you mean IF_curr_exp?"]),
        ("neuron.cell_type", 3, ["neuron.cell_type = 3"]),
        ("duration", 0.0, ["duration = 0.0", "greater than 0"]),
        ("duration", -5.0, ["duration = -5.0"]),
        ("duration", True, ["duration = true", "a number in ms"]),
        ("duration", 1e-9, ["duration = 1e-09", "whole multiple"]),
        ("conditions.0.currents.0.stop", 1e-9, ["stop = 1e-09", "multiple"]),
        ("timestep", 0.3, ["duration = 100.0", "whole multiple of the timestep, 0.3 ms"]),
        ("timestep", math.inf, ["timestep = inf"]),
        ("trials", 2.5, ["trials = 2.5", "whole number"]),
        ("trials", 0, ["trials = 0"]),
        ("seed", -1, ["seed = -1"]),
        ("name", "a/b", ['name = "a/b"']),
        ("record.v_interval", 0.25, ["record.v_interval = 0.25", "timestep"]),
        ("record.v_interval", 0.7, ["record.v_interval = 0.7", "divide the duration"]),
        ("record.v", 4, ["record.v = 4", "0 to 3"]),
        ("record.spike", True, ["record.spike", "did you mean spikes?"]),
        ("conditions", [], ["conditions", "at least one"]),
        ("conditions.1.name", "dc", ["conditions.dc", "2 times"]),
        ("conditions.0.currents.0.amplitude", 150.0, ["conditions.dc.currents.0", "pA"]),
        ("conditions.0.currents.0.kind", "konstant", ["currents.0.kind", "constant?"]),
        ("conditions.0.currents.0.stop", 0.05, ["currents.0.stop = 0.05", "multiple"]),
        ("conditions.0.currents.0.start", 100.0, ["start"]),
        ("conditions.0.currents", "none", ["conditions.dc.currents"]),
        ("conditions.1.currents.0.dt", 0.25, ["conditions.noise.currents.0.dt = 0.25"]),
        ("conditions.1.currents.0.dt", 0.0, ["conditions.noise.currents.0.dt = 0.0"]),
        ("conditions.1.currents.0.stdev", -0.1, ["stdev = -0.1", "at least 0"]),
        ("conditions.1.currents.0.spectrum", "pink", ["spectrum", "white, ou, alpha"]),
        ("conditions.1.currents.1.tau", 3.0, ["conditions.noise.currents.1.tau", "white"]),
        ("conditions.1.currents.0.shared", "yes", ["shared", "true or false"]),
    ],
)
def test_bad_input_is_named_with_its_value_and_what_is_allowed(path, value, words):
    data = base()
    put(data, path, value)
    text = "\n".join(refused(data))
    for word in words:
        assert word in text


@pytest.mark.parametrize("key", ["name", "duration", "timestep", "seed", "trials", "neuron"])
def test_a_missing_key_is_named(key):
    data = base()
    del data[key]
    assert any(key in problem for problem in refused(data))


def test_noise_must_say_whether_it_is_shared_and_its_tau():
    data = base()
    data["conditions"][1]["currents"][0] = {"kind": "noise", "spectrum": "ou", "stdev": 0.1}
    text = "\n".join(refused(data))
    assert "currents.0.tau: is missing" in text
    assert "currents.0.shared: is missing" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "its samples are missing"),
        ({"samples": "AAAA", "shape": [1]}, "as many float64"),
        ({"samples": "not base64!", "shape": [1]}, "base64"),
        ({"samples": "", "shape": "abc"}, "must be [samples]"),
        ({"samples": "", "shape": [1, 2, 3]}, "must be [samples]"),
        ({"samples": "", "shape": [0]}, "holds no samples"),
    ],
)
def test_samples_that_contradict_themselves_are_refused(changes, words):
    data = base()
    data["conditions"][0]["currents"] = [{"kind": "waveform", "file": "w.npy", **changes}]
    assert words in "\n".join(refused(data))


def test_all_problems_are_found_at_once():
    data = base(trials=0, seed="x", surprise=1)
    data["neuron"]["parameters"]["tau_m"] = -1.0
    data["conditions"][0]["currents"][0]["amplitude"] = math.nan
    assert len(refused(data)) == 5


def test_a_table_where_there_must_be_one():
    assert "must be a table" in "\n".join(refused(base(neuron=3)))


def test_too_many_samples_are_refused_before_memory_is_used():
    data = base(trials=10**6, duration=1e6)
    assert "current samples" in "\n".join(refused(data))


def test_cell_types_have_pynns_own_parameters():
    """Names, defaults and units of the table against the installed PyNN."""
    from pyNN.standardmodels import cells

    for name, cell in CELL_TYPES.items():
        theirs = getattr(cells, name)
        assert theirs.injectable
        assert cell.defaults == theirs.default_parameters
        for parameter in cell.defaults:
            unit = cell.quantities[parameter].unit
            assert unit.replace("1/ms", "/ms") == theirs.units[parameter], (name, parameter)
        assert set(cell.states) <= set(theirs.default_initial_values)


def test_the_potential_starts_at_rest_unless_told_otherwise():
    data = base()
    data["neuron"]["parameters"]["v_rest"] = -77.0
    assert Experiment.from_dict(data).neuron.initial_values == {"v": -77.0}
    data["neuron"]["initial_values"] = {"v": -60.0}
    assert Experiment.from_dict(data).neuron.initial_values == {"v": -60.0}


def test_izhikevich_starts_on_its_own_recovery_variable():
    data = base()
    data["neuron"] = {"cell_type": "Izhikevich", "parameters": {"b": 0.25}}
    assert Experiment.from_dict(data).neuron.initial_values == {"v": -70.0, "u": -17.5}


def leaves(data, path=""):
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from leaves(value, f"{path}.{number}")
    else:
        yield path, data


def other_values(value):
    """Values like this one but different."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [
            value * 1.000001,
            value + 0.1,
            value + 1,
            value - 1,
            value + 5,
            value * 2,
            value / 2,
        ]
    return [value + "x", "white", "alpha", "IF_curr_alpha"]


def test_any_one_changed_value_changes_the_digest():
    data = base()
    data["conditions"].append({"name": "all", "currents": EVERY_CURRENT})
    original = Experiment.from_dict(data)
    complete = json.loads(original.to_json())
    white = "conditions.1.currents.1.spectrum"  # any other one needs a tau as well
    digests = {original.digest}
    changed = 0
    for path, value in leaves(complete):
        if path in ("description", white) or path.endswith(".kind"):
            continue
        for candidate in (c for c in other_values(value) if c != value):
            variant = copy.deepcopy(complete)
            put(variant, path, candidate)
            try:
                digest = Experiment.from_dict(variant).digest
            except ExperimentError:
                continue
            assert digest not in digests, path
            digests.add(digest)
            changed += 1
            break
        else:
            raise AssertionError(f"no other value was accepted for {path}")
    assert changed > 60


def test_the_description_is_no_part_of_the_digest():
    assert Experiment.from_dict(base(description="x")).digest == Experiment.from_dict(base()).digest


def test_whole_numbers_and_floats_are_one_value():
    assert Experiment.from_dict(base(duration=100)).digest == Experiment.from_dict(base()).digest


@pytest.mark.parametrize("name", sorted(files.ready_experiments()))
def test_ready_experiments_are_valid_and_survive_json(name):
    experiment = files.load(name)
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment
    assert again.digest == experiment.digest


def test_digests_are_the_recorded_ones_in_another_process():
    program = (
        "from pynn_model import files, stimulus; import json;"
        "print(json.dumps({n: files.load(n).digest for n in files.ready_experiments()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = {name: files.load(name).digest for name in files.ready_experiments()}
    assert json.loads(done.stdout) == here


def test_samples_are_part_of_the_digest(tmp_path, monkeypatch):
    """A generator that draws other samples makes another experiment, even for the same text."""
    from pynn_model import stimulus

    experiment = Experiment.from_dict(base())
    before = experiment.digest
    original = stimulus._stream
    monkeypatch.setattr(stimulus, "_stream", lambda key: original(key + "!"))
    assert Experiment.from_dict(base()).digest != before


def test_sweep_makes_a_condition_for_each_value():
    data = base()
    data["conditions"] = [
        {
            "name": "step",
            "sweep": {"key": "currents.0.amplitude", "start": 0.1, "stop": 0.3, "num": 3},
            "currents": [{"kind": "constant", "amplitude": 0.0}],
        }
    ]
    conditions = Experiment.from_dict(data).conditions
    assert [c.name for c in conditions] == ["step 0.1", "step 0.2", "step 0.3"]
    assert [c.currents[0].amplitude for c in conditions] == [0.1, 0.2, 0.3]
    assert {c.series for c in conditions} == {"step"}
    assert [c.level for c in conditions] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"key": "currents.0.amplitud", "values": [0.1]}, "amplitud"),
        ({"key": "currents.7.amplitude", "values": [0.1]}, "must name a key"),
        ({"key": "currents.0.amplitude", "values": []}, "at least one number"),
        ({"key": "currents.0.amplitude", "start": 0.1, "stop": 0.2}, "num: is missing"),
        ({"key": "currents.0.amplitude", "values": [0.1, 0.1]}, "2 times"),
        ({"key": "currents.0.amplitude", "values": [0.1], "num": 3}, "unknown key"),
    ],
)
def test_a_wrong_sweep_is_refused(sweep, words):
    data = base()
    data["conditions"][0]["sweep"] = sweep
    assert words in "\n".join(refused(data))


def test_a_sweep_over_seeds_makes_conditions_with_different_noise():
    data = base()
    noise = {"kind": "noise", "spectrum": "white", "stdev": 0.1, "shared": True, "dt": 1.0}
    data["conditions"] = [
        {
            "name": "noise",
            "currents": [noise],
            "sweep": {"key": "currents.0.seed", "values": [1, 2]},
        }
    ]
    first, second = Experiment.from_dict(data).conditions
    assert (first.currents[0].seed, second.currents[0].seed) == (1, 2)
