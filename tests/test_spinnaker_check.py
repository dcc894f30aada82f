"""What SpiNNaker would refuse or silently get wrong, refused before submission with a way out."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backends import spinnaker
from pynn_model import files
from pynn_model.conventions import spinnaker_limits
from pynn_model.currents import pack_samples
from pynn_model.experiment import Experiment
from pynn_model.schema import ExperimentError

ROOT = Path(__file__).resolve().parent.parent
CELL = {"tau_m": 20.0, "cm": 0.25, "v_rest": -65.0, "v_reset": -65.0, "v_thresh": -50.0}


def experiment(*currents, cell_type="IF_curr_exp", neuron=None, record=None, **changes):
    data = {"name": "asked", "trials": 4, "duration": 100.0, "timestep": 0.1, "seed": 1}
    data["neuron"] = {"cell_type": cell_type, "parameters": CELL if neuron is None else neuron}
    data["record"] = {"spikes": True, "v": 1, **(record or {})}
    data["conditions"] = [{"name": "a", "currents": list(currents)}]
    return Experiment.from_dict({**data, **changes})


def model(body, **changes):
    source = f"def build(sim, experiment):\n    {body}\n    return sim.Population(1, c)\n"
    data = {"name": "own", "duration": 10.0, "timestep": 0.1, "seed": 1, **changes}
    return Experiment.from_dict({**data, "model": {"file": "own.py", "source": source}})


def noise(**changes):
    return {"kind": "noise", "spectrum": "white", "stdev": 0.02, "shared": False, **changes}


def the_reason(asked):
    (reason,) = spinnaker.reasons(asked)
    return reason


def test_a_plain_experiment_passes():
    assert spinnaker.reasons(experiment(noise(dt=1.0))) == []


# --- the ready experiments -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mainen_sejnowski", "fi_curve", "balanced_network"])
def test_these_ready_experiments_run_there(name):
    assert spinnaker.reasons(files.load(name)) == []


WAYS_OUT = {
    "noise_native": (["conditions.native noise.currents.0.dt=0.1"], "set dt = 0.1"),
    "stimuli": (["timestep=1.0", "record.v_interval=1.0"], "set timestep = 1"),
}


@pytest.mark.parametrize("name", sorted(WAYS_OUT))
def test_the_others_name_a_way_out_which_is_one(name):
    changes, named = WAYS_OUT[name]
    found = spinnaker.reasons(files.load(name))
    assert found == [] or named in found[0]
    assert spinnaker.reasons(files.load(name, changes)) == []


def test_the_cost_of_mainen_sejnowski():
    """Each neuron needs 1000 changes and the sentinel, 8 bytes each, and 40: 6 would fit a core."""
    cost = spinnaker.cost(files.load("mainen_sejnowski"))
    assert (cost.neurons, cost.cores, cost.time_scale_factor) == (50, 10, 10)
    assert [p.neurons_per_core for p in cost.populations] == [5, 5]
    assert cost.dtcm == 5 * (1001 * 8 + 40)
    assert cost.dtcm < cost.dtcm_free
    # 10 cores: 10 000 rows of a tick and a word of spikes, 2000 of a tick and v of 5 neurons.
    assert cost.recording == 10 * 4 * (10_000 * 2 + 2000 * 6)
    assert spinnaker_limits.TICK_MARGIN * cost.slowest < cost.tick
    assert cost.wall_time > 10


# --- the machine's grid, cells and numbers -------------------------------------------------------


@pytest.mark.parametrize("timestep", [0.05, 0.2, 0.5, 2.0])
def test_timesteps(timestep):
    reason = the_reason(experiment(timestep=timestep, record={"v": 0}))
    assert f"timestep = {timestep:g}" in reason
    assert "0.1 or 1" in reason


@pytest.mark.parametrize(("timestep", "refused"), [(0.05, 1), (0.2, 0), (0.5, 0), (2.0, 1)])
def test_in_software_the_timesteps_between_are_possible(timestep, refused):
    found = spinnaker.reasons_in_software(experiment(timestep=timestep, record={"v": 0}))
    assert len(found) == refused


@pytest.mark.parametrize("timestep", [0.1, 1.0])
def test_timesteps_that_are_known(timestep):
    assert spinnaker.reasons(experiment(noise(dt=1.0), timestep=timestep)) == []


@pytest.mark.parametrize(
    "cell_type",
    ["IF_cond_alpha", "HH_cond_exp", "EIF_cond_exp_isfa_ista", "IF_cond_exp_gsfa_grr"],
)
def test_cells_it_has_not(cell_type):
    reason = the_reason(experiment(cell_type=cell_type, neuron={}))
    assert reason.startswith(f"neuron.cell_type = {cell_type}: SpiNNaker has no such cell; use")


@pytest.mark.parametrize("cell_type", spinnaker_limits.CELL_TYPES)
def test_cells_it_has(cell_type):
    assert spinnaker.reasons(experiment(noise(dt=1.0), cell_type=cell_type, neuron={})) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cm": 1e-5}, "cm = 1e-05: becomes 0 in numbers of 1/32768"),
        ({"tau_syn_E": 1e-5}, "tau_syn_E = 1e-05: becomes 0"),
        ({"tau_m": 7e4}, "tau_m = 70000: SpiNNaker's numbers end at"),
        ({"tau_refrac": 1e5}, "tau_refrac = 100000: SpiNNaker's numbers end at"),
        ({"tau_m": 300.0}, "use at most 164 ms, or timestep = 1"),
        ({"tau_syn_I": 5e-5}, "becomes 6.1e-05 in numbers of 1/32768; use a larger one"),
        ({"v_reset": -50.00001}, "fires at every step; lower v_reset"),
    ],
)
def test_parameters(changes, said):
    assert said in the_reason(experiment(neuron={**CELL, **changes}))


@pytest.mark.parametrize("changes", [{"cm": 0.0}, {"v_reset": -50.0}, {"v_reset": -40.0}])
def test_parameters_that_no_experiment_can_have(changes):
    with pytest.raises(ExperimentError):
        experiment(neuron={**CELL, **changes})


def test_every_reason_at_once():
    bad = experiment(
        {"kind": "native", "stdev": 0.1, "dt": 1.0, "mean": -0.1},
        cell_type="IF_curr_exp",
        neuron={**CELL, "cm": 1e-5, "tau_m": 7e4},
        timestep=0.2,
        duration=200.0,
    )
    assert len(spinnaker.reasons(bad)) == 5


# --- currents ------------------------------------------------------------------------------------


def test_a_value_beyond_the_numbers():
    asked = experiment({"kind": "impulse", "charge": 1e4, "time": 10.0})
    assert "a current of 100000 nA: SpiNNaker's numbers end" in the_reason(asked)


@pytest.mark.parametrize("charge", [100.0, -100.0])
def test_a_membrane_driven_beyond_the_numbers(charge):
    """1000 nA through 80 MOhm is 80 000 mV."""
    asked = experiment({"kind": "impulse", "charge": charge, "time": 10.0})
    assert "towards 80065 mV" in the_reason(asked)
    assert spinnaker.reasons(experiment({"kind": "impulse", "charge": 50.0, "time": 10.0})) == []


@pytest.mark.parametrize(
    "current",
    [
        {"kind": "constant", "amplitude": -0.2},
        {"kind": "constant", "amplitude": 0.2},  # without a stop
        {"kind": "sinusoid", "amplitude": 0.1, "offset": -0.1, "frequency": 20.0},
        noise(mean=-0.1, dt=1.0),
        {"kind": "ramp", "amplitude_start": 0.0, "amplitude_stop": -1.0},
        {"kind": "pulse", "amplitude": -1.0, "start": 10.0, "stop": 20.0},
    ],
)
def test_what_a_step_source_avoids_is_no_reason(current):
    """Negative amplitudes, a missing stop, AC at 0.1 ms: test_spinnaker_run shows what is sent."""
    assert spinnaker.reasons(experiment(current)) == []


@pytest.mark.parametrize(
    ("current", "said"),
    [
        ({"dt": 1.0, "mean": 0.1}, "currents.0.dt = 1: SpiNNaker's own noise changes every"),
        ({"dt": 0.1, "mean": -0.1}, "currents.0.mean = -0.1: SpiNNaker refuses a negative mean"),
    ],
)
def test_native_noise(current, said):
    reason = the_reason(experiment({"kind": "native", "stdev": 0.1, **current}))
    assert said in reason
    assert 'use kind = "noise"' in reason


def test_native_noise_that_it_can_make():
    asked = experiment({"kind": "native", "stdev": 0.1, "dt": 0.1, "mean": 0.1}, trials=1000)
    assert spinnaker.reasons(asked) == []
    assert spinnaker.cost(asked).cores >= 4


def test_neurons_are_spread_until_their_sources_fit():
    """One waveform a neuron at dt 0.1: 1000 entries; with 256 on a core only 6 would fit."""
    few, many = experiment(noise(), trials=10), experiment(noise(), trials=1000)
    assert spinnaker.reasons(few) == spinnaker.reasons(many) == []
    assert spinnaker.cost(few).cores == 2
    assert spinnaker.cost(many).cores == 167


def test_other_cells_are_given_less_memory():
    asked = [experiment(noise(), trials=300, cell_type=c, neuron={}) for c in
             ("IF_curr_exp", "IF_cond_exp")]  # fmt: skip
    assert spinnaker.cost(asked[0]).dtcm_free > spinnaker.cost(asked[1]).dtcm_free


@pytest.mark.parametrize(
    ("current", "said"),
    [
        (noise(), "hold its values longer (currents.0.dt = 1)"),
        ({"kind": "sinusoid", "amplitude": 0.1, "frequency": 5.0}, "set timestep = 1, or shorten"),
        ({"kind": "ramp", "amplitude_start": 0.0, "amplitude_stop": 1.0}, "a ramp (currents.0)"),
    ],
)
def test_too_many_entries_for_a_core(current, said):
    reason = the_reason(experiment(current, duration=1000.0))
    assert "conditions.a: the current of a neuron needs 10001 entries" in reason
    assert "a core holds 692" in reason
    assert said in reason


def test_a_waveform_from_a_file_with_too_many_entries():
    samples = pack_samples(np.sin(np.arange(10_000)))
    current = {"kind": "waveform", "file": "w.csv", "dt": 0.1, **samples}
    assert "give its samples more rarely" in the_reason(experiment(current, duration=1000.0))


def test_the_hold_time_that_is_named_fits():
    asked = experiment(noise(), duration=20_000.0)
    hold = the_reason(asked).split("currents.0.dt = ")[1].split(")")[0]
    # On the grid of the duration; the next one that divides nothing needs no help.
    assert spinnaker.reasons(experiment(noise(dt=float(hold)), duration=20_000.0)) == []


def test_one_reason_for_many_conditions():
    data = experiment(duration=1000.0).to_dict()
    current = {"kind": "ramp", "amplitude_start": 0.0, "amplitude_stop": 1.0}
    data["conditions"] = [{"name": n, "currents": [current]} for n in "abc"]
    assert the_reason(Experiment.from_dict(data)).startswith("conditions.a and 2 more: ")


# --- recordings ----------------------------------------------------------------------------------


def test_a_run_that_would_be_cut_in_pieces():
    """25 000 000 steps of two words, and as many of v: 400 MB, and a chip has 100."""
    asked = experiment(duration=2_500_000.0, record={"v": 4})
    reason = the_reason(asked)
    assert "one neuron alone records 400 MB" in reason
    assert "make the run shorter" in reason


def test_neurons_are_spread_until_their_recordings_fit():
    asked = experiment(trials=256, duration=100_000.0, record={"v": 256, "v_interval": 0.5})
    assert spinnaker.reasons(asked) == []
    # Of 86 neurons: 1 000 000 rows of 4 words (spikes), 200 000 rows of 87 words (v): 85.6 MB.
    (population,) = spinnaker.cost(asked).populations
    assert (population.cores, population.neurons_per_core) == (3, 86)
    assert population.chip_memory == 85_600_000


def test_a_sampling_interval_off_the_grid_is_no_experiment():
    with pytest.raises(ExperimentError, match="v_interval"):
        experiment(record={"v_interval": 0.25})


# --- a model of the user's own -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("c = sim.HH_cond_exp()", "HH_cond_exp: SpiNNaker has no such cell"),
        ("c = sim.IF_cond_alpha()", "IF_cond_alpha: SpiNNaker has no such cell"),
        ("sim.run(10.0)", "sim.run(): the runner does this, once"),
        ("sim.reset()", "sim.reset(): the runner does this"),
        ("sim.setup(timestep=1.0)", "sim.setup(): the runner does this"),
        ("import pyNN.nest as other", "import pyNN.nest: is not where the model runs"),
        ("from pyNN.neuron import IF_curr_exp", "pyNN.neuron.IF_curr_exp: is not where"),
        ("import nest", "import nest: a simulator that is not where the model runs"),
        ("c = RandomDistribution('normal', mu=1, sigma=1)", "draw them with numpy"),
        ("sim.NoisyCurrentSource(stdev=0.1, dt=1.0)", "dt = 1: SpiNNaker's own noise changes"),
        ("sim.NoisyCurrentSource(mean=-0.1)", "mean = -0.1: SpiNNaker refuses a negative mean"),
        ("sim.NoisyCurrentSource(rng=sim)", "SpiNNaker refuses rng"),
        ("c = sim.IF_curr_exp(cm=0)", "cm = 0: is 0 or less on SpiNNaker"),
        ("c = sim.IF_curr_exp(tau_refrac=1e5)", "tau_refrac = 100000: SpiNNaker's numbers end"),
        ("c = sim.IF_curr_exp(v_reset=-50, v_thresh=-50)", "v_reset = -50: fires at every step"),
        ("match experiment:\n        case _: pass", "may hold Python 3.8"),
    ],
)
def test_what_the_text_of_a_model_shows(body, said):
    reason = the_reason(model(body))
    assert said in reason
    assert reason.startswith(f"own.py, line {4 if 'match' in body else 2}: ")


def test_a_model_whose_sources_are_repaired_passes():
    body = "sim.DCSource(amplitude=-0.1); sim.NoisyCurrentSource(stdev=0.1, dt=0.1)"
    assert spinnaker.reasons(model(body)) == []


def test_what_was_not_checked_of_a_model_is_said():
    text = spinnaker.cost(model("c = sim.IF_curr_exp()")).text()
    assert "Only the text of the model was read" in text
    assert "spiNNaker-virtual" in text
    assert spinnaker.unchecked(experiment()) == []


def test_the_grid_is_checked_of_a_model_too():
    assert "timestep = 0.5" in the_reason(model("c = sim.IF_curr_exp()", timestep=0.5))


# --- the command ---------------------------------------------------------------------------------


def check(*arguments):
    command = [sys.executable, "-m", "scripts.check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_check_prints_the_cost():
    done = check("spinnaker", "mainen_sejnowski")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "ok: spinnaker can run mainen_sejnowski"
    words = {line.split("  ")[0]: line for line in lines[1:]}
    assert words["cores"].endswith("10 (5 neurons each; 1 board)")
    for row in ("neurons", "core memory", "recordings", "time scale factor", "wall time"):
        assert row in words


def test_check_refuses_with_status_2_and_every_reason():
    done = check("spinnaker", "noise_native", "--set", "neuron.parameters.tau_m=300")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "own noise changes every timestep" in done.stderr
    assert "use at most 164 ms" in done.stderr


@pytest.mark.parametrize("backend", ["spinnaker", "nest", "nest-precise", "neuron", "brian2"])
def test_check_as_json(backend):
    done = check(backend, "mainen_sejnowski", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["ok"], report["reasons"]) == (0, "", True, [])
    assert report["cost"]["neurons"] == 50


def test_a_refusal_as_json():
    done = check("nest", "mainen_sejnowski", "--json", "--set", "timestep=0.0125",
                 "--set", "record.v_interval=1.0")  # fmt: skip
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["cost"]) == (2, False, None)
    assert "microseconds" in report["reasons"][0]
