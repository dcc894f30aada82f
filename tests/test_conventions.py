"""All simulators obey the one convention of currents, spike times and potentials.

Every simulation runs in a process of its own (conventions_scenarios.py). What it has to give comes
from the exact solution of the membrane equation for a current that is constant over each step,
written here a second time, with the threshold tested at the end of each step.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import conventions_scenarios as scenarios
import numpy as np
import pytest

from pynn_model import conventions
from pynn_model.conventions import limits, mechanisms, sources

OTHERS = pytest.mark.xdist_group("conventions")
# A run is made once in a worker: Brian2's, which take longest, in one, all others in another.
BRIAN2 = pytest.param("brian2", marks=pytest.mark.xdist_group("conventions on brian2"))
ON_GRID = (*(pytest.param(s, marks=OTHERS) for s in ("nest", "neuron")), BRIAN2)
SYSTEMS = (pytest.param("nest-precise", marks=OTHERS), *ON_GRID)
WITHIN = {"nest": 1e-9, "nest-precise": 1e-9, "brian2": 1e-9, "neuron": 1e-8}  # mV


@pytest.fixture(scope="module")
def simulate(tmp_path_factory):
    """simulate(system, scenario, name=value …): the arrays of a run, each run made once."""
    folder = tmp_path_factory.mktemp("runs")

    @cache
    def run(system, scenario, **settings):
        output = folder / "-".join([system, scenario, *map(str, settings.values()), "out.npz"])
        command = [sys.executable, scenarios.__file__, system, scenario, str(output)]
        command += [f"{name}={value}" for name, value in settings.items()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(output) as arrays:
            return dict(arrays)

    return run


def exact(current, timestep, **parameters):
    """(v before each step (steps, cells), spike steps, spike cells) of leaky cells."""
    p = dict(scenarios.LIF, **parameters)
    decay = np.exp(-timestep / p["tau_m"])
    v = np.full(current.shape[1], p["v_rest"])
    rest = np.zeros(current.shape[1], dtype=int)
    trace, steps, cells = [], [], []
    for k, now in enumerate(current):
        trace.append(v)
        steady = p["v_rest"] + now * p["tau_m"] / p["cm"]
        v = np.where(rest > 0, v, steady + (v - steady) * decay)
        fires = (rest == 0) & (v > p["v_thresh"])
        rest = np.maximum(rest - 1, 0)
        v = np.where(fires, p["v_reset"], v)
        rest[fires] = np.ceil(p["tau_refrac"] / timestep - 1e-9)
        steps += [k + 1] * int(fires.sum())
        cells += np.flatnonzero(fires).tolist()
    order = np.lexsort((steps, cells))
    return np.array(trace), np.array(steps)[order], np.array(cells)[order]


def crossings(current, timestep):
    """Closed-form spike times (ms) of one leaky cell, refractory from the very crossing on."""
    p = scenarios.LIF
    times, v, free_at = [], p["v_rest"], 0.0
    for k, now in enumerate(current):
        t, end = k * timestep, (k + 1) * timestep
        steady = p["v_rest"] + now * p["tau_m"] / p["cm"]
        while True:
            t = max(t, min(free_at, end))
            after = steady + (v - steady) * np.exp(-(end - t) / p["tau_m"])
            if after <= p["v_thresh"]:
                v = after
                break
            t += p["tau_m"] * np.log((v - steady) / (p["v_thresh"] - steady))
            times.append(t)
            v, free_at = p["v_reset"], t + p["tau_refrac"]
    return np.array(times)


# Currents


@pytest.mark.parametrize("timestep", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("system", SYSTEMS)
def test_potential_follows_every_kind_of_current_from_the_first_step(simulate, system, timestep):
    result = simulate(system, "currents", timestep=timestep)
    for name, current in scenarios.expected_currents(timestep).items():
        expected, _, _ = exact(current, timestep, v_thresh=1e6)
        v = result[name]
        assert v.shape == expected.shape, name
        error = np.abs(v - expected[:, [2, 0, 1]]).max()
        assert error < WITHIN[system], f"{name}: {error} mV"


@pytest.mark.parametrize("system", SYSTEMS)
def test_potential_is_sampled_at_multiples_of_the_interval(simulate, system):
    result = simulate(system, "currents", timestep=0.1, every=5)
    expected, _, _ = exact(scenarios.expected_currents(0.1)["private"], 0.1, v_thresh=1e6)
    assert result["private"].shape == (80, 3)
    assert np.abs(result["private"] - expected[::5, [2, 0, 1]]).max() < WITHIN[system]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_users_parameters_are_as_before_afterwards(simulate, system):
    assert simulate(system, "currents", timestep=0.1)["offsets after"] == pytest.approx(
        [0.0, 0.1, 0.2]
    )
    spikes = simulate(system, "spikes", timestep=0.1)
    assert spikes["tau_refrac"] == pytest.approx(2.0, abs=1e-12)
    assert spikes["cm"] == pytest.approx(0.25, abs=1e-12)
    assert simulate(system, "network", timestep=0.1, delay=1.5)["weight after"] == pytest.approx(
        0.5, abs=1e-12
    )


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("StepCurrentSource", {"times": [0, 2, 1], "amplitudes": [1, 1, 1]}, "increase strictly"),
        ("StepCurrentSource", {"times": [0, 1], "amplitudes": [1]}, "2 times but 1 amplitudes"),
        ("StepCurrentSource", {"times": [0, 1], "amplitudes": [1, np.nan]}, "finite"),
        ("StepCurrentSource", {"times": [-1, 1], "amplitudes": [1, 1]}, "negative"),
        ("DCSource", {"amplitude": np.inf}, "amplitude = inf must be one finite number"),
        ("NoisyCurrentSource", {"dt": 0.25}, "multiple of the timestep, 0.1 ms"),
        ("NoisyCurrentSource", {"stdev": -1.0}, "stdev = -1. must not be negative"),
        ("ACSource", {"freq": 3}, "no parameter 'freq'; it has amplitude, frequency, offset"),
    ],
)
def test_bad_sources_are_refused_when_they_are_made(name, parameters, message):
    source = sources.Injections(0.1, 1).classes()[name]
    with pytest.raises((ValueError, TypeError), match=message.replace("(", r"\(")):
        source(**parameters)


# Spikes


@pytest.mark.parametrize("timestep", [0.1, 1.0])
@pytest.mark.parametrize("system", ON_GRID)
def test_spikes_fall_on_the_grid_points_of_the_exact_solution(simulate, system, timestep):
    result = simulate(system, "spikes", timestep=timestep)
    current = scenarios.frozen_and_private(timestep, 2000.0, 50)
    trace, steps, cells = exact(current, timestep)
    assert len(steps) > 1000
    assert steps.min() * timestep <= 1.0  # strong enough from t = 0 on
    found_steps = np.rint(result["times"] / timestep).astype(int)
    assert np.abs(result["times"] / timestep - found_steps).max() < 1e-9
    found = set(zip(found_steps, result["index"], strict=True))
    common = found & set(zip(steps, cells, strict=True))
    assert len(common) >= 0.995 * max(len(found), len(steps))
    order = np.lexsort((result["times"], result["index"]))
    assert np.array_equal(order, np.arange(len(order)))
    # v after a spike is v_reset; a cell with one spike of 1834 elsewhere would be far off.
    assert np.abs(result["v"] - trace[:, [0, 49]]).max() < 1e-7


@OTHERS
def test_all_simulators_give_the_same_spikes(simulate):
    for timestep in (0.1, 1.0):
        reference = simulate("nest", "spikes", timestep=timestep)
        for system in ("neuron", "brian2"):
            other = simulate(system, "spikes", timestep=timestep)
            assert np.array_equal(other["times"], reference["times"])
            assert np.array_equal(other["index"], reference["index"])


@OTHERS
def test_nest_precise_gives_the_closed_form_crossings(simulate):
    result = simulate("nest-precise", "spikes", timestep=0.1)
    current = scenarios.frozen_and_private(0.1, 2000.0, 50)
    for cell in (0, 7, 49):
        expected = crossings(current[:, cell], 0.1)
        found = result["times"][result["index"] == cell]
        assert found == pytest.approx(expected, abs=1e-8)


@OTHERS
def test_threads_and_slices_change_nothing(simulate):
    once = simulate("nest", "spikes", timestep=0.1, duration=200.0)
    assert len(once["times"]) > 100
    for other in (
        simulate("nest", "spikes", timestep=0.1, duration=200.0, threads=2),
        simulate("nest", "spikes", timestep=0.1, duration=200.0, with_progress=0),
    ):
        assert np.array_equal(other["times"], once["times"])
        assert np.array_equal(other["index"], once["index"])
        assert np.array_equal(other["v"], once["v"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_progress_is_reported(simulate, system):
    fractions = simulate(system, "spikes", timestep=0.1)["fractions"]
    assert 20 <= len(fractions) <= 100
    assert np.all(np.diff(fractions) > 0)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("timestep", [0.1, 1.0])
@pytest.mark.parametrize("system", ON_GRID)
def test_spikes_in_the_first_and_the_last_step_count(simulate, system, timestep):
    result = simulate(system, "edges", timestep=timestep)
    current = np.zeros((round(30 / timestep), 1))
    current[:2] = 60.0
    _, steps, _ = exact(current, timestep)
    assert result["first"] == pytest.approx(np.repeat(steps * timestep, 2))
    assert steps[0] <= 3
    assert result["last"] == pytest.approx([30.0])


@pytest.mark.parametrize("timestep", [0.1, 1.0])
@pytest.mark.parametrize("system", ON_GRID)
def test_refractory_periods_last_whole_steps_rounded_up(simulate, system, timestep):
    result = simulate(system, "edges", timestep=timestep)
    for name in [name for name in result if name.startswith("refractory")]:
        period = float(name.split()[1])
        current = np.full((round(30 / timestep), 1), 6.0)
        _, steps, _ = exact(current, timestep, tau_refrac=period)
        assert np.rint(result[name] / timestep).tolist() == steps.tolist(), name


# Networks


def psp(t, tau_m=20.0, tau_syn=5.0):
    """mV after a spike at 0: an exponential current of 0.5 nA into 0.25 nF."""
    t = np.maximum(t, 0)
    return 0.5 / 0.25 * (np.exp(-t / tau_m) - np.exp(-t / tau_syn)) / (1 / tau_syn - 1 / tau_m)


@pytest.mark.parametrize(("timestep", "delay"), [(0.1, 1.5), (0.1, 0.1), (1.0, 2.0)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_synapses_act_one_delay_after_the_spike(simulate, system, timestep, delay):
    result = simulate(system, "network", timestep=timestep, delay=delay)
    # NEURON's rule is of second order in the synaptic current too.
    within = {"neuron": 1.5e-2 * timestep**2}.get(system, 1e-9)
    t = np.arange(round(60 / timestep)) * timestep
    assert result["source"] == pytest.approx([10.0, 20.0])
    after_source = -70 + psp(t - 10 - delay) + psp(t - 20 - delay)
    assert np.abs(result["after source"] - after_source).max() < within
    after_cell = -70 + psp(t - result["sender"][0] - delay)
    assert np.abs(result["after cell"] - after_cell).max() < within


@pytest.mark.parametrize("system", SYSTEMS)
def test_currents_begin_at_once_in_a_network_with_long_delays_too(simulate, system):
    result = simulate(system, "network", timestep=0.1, delay=1.5)
    expected, _, _ = exact(result["current"][:, None], 0.1, tau_m=20.0, v_thresh=1e6)
    assert np.abs(result["driven"] - expected[:, 0]).max() < WITHIN[system]


# Native noise


@pytest.mark.parametrize("system", SYSTEMS)
def test_native_noise_is_seeded_held_and_independent(simulate, system):
    result = simulate(system, "native_noise")
    noise = result["noise"]
    blocks = noise[:597].reshape(199, 3, 40)
    if system in ("neuron", "brian2"):
        assert np.abs(blocks - blocks[:, :1]).max() < 1e-6
    else:  # NEST's own holds begin after the steps that it cannot reach
        assert np.abs(noise[2:590].reshape(196, 3, 40) - noise[2:590:3][:, None]).max() < 1e-6
    assert np.all(np.abs(noise[0]) > 0)
    # 199 blocks of 40 cells: the standard error of mean and SD is 0.003 and 0.0024 nA.
    assert blocks.mean() == pytest.approx(0.1, abs=0.012)
    assert blocks.std() == pytest.approx(0.3, abs=0.01)
    correlation = np.corrcoef(blocks[:, 2].T) - np.eye(40)
    assert np.abs(correlation).max() < 0.4
    late = np.flatnonzero(np.abs(result["late"][:, 0]) > 1e-7)
    assert (late[0], late[-1]) == (50, 99)


@pytest.mark.parametrize("system", SYSTEMS)
def test_native_noise_is_that_of_the_seed(simulate, system):
    first = simulate(system, "native_noise", seed=1)["noise"]
    again = simulate(system, "native_noise", seed=1 + 0)["noise"]
    assert np.array_equal(first, again)
    other = simulate(system, "native_noise", seed=2)["noise"]
    assert np.mean(np.abs(other - first) > 1e-3) > 0.95


@OTHERS
def test_nest_says_what_its_own_noise_depends_on(simulate):
    notes = simulate("nest", "native_noise")["notes"]
    assert any("number of cells or threads" in note for note in notes)
    assert len(simulate("neuron", "native_noise")["notes"]) == 0


# Cell types

# Spikes in (0, 100] ms of each cell, recorded with NEST 3.10 at a timestep of 0.01 ms.
FINE_SPIKES = {
    "IF_curr_exp": 2,
    "IF_curr_alpha": 2,
    "IF_curr_delta": 2,
    "IF_cond_exp": 2,
    "IF_cond_alpha": 2,
    "EIF_cond_exp_isfa_ista": 4,
    "EIF_cond_alpha_isfa_ista": 4,
    "Izhikevich": 7,
    "HH_cond_exp": 7,
}


@pytest.mark.parametrize("system", ON_GRID)
def test_every_cell_type_fires_as_with_the_finest_steps(simulate, system):
    result = {
        **simulate(system, "cell_types"),
        **simulate(system, "cell_types", hh=1),
    }
    for name, expected in FINE_SPIKES.items():
        if limits.unsupported(system, name, 0.1):
            assert name not in result
        else:
            assert len(result[name]) == expected, name
            assert result[name + " v"][0] == -65.0
            assert result[name + " v"].min() > -100


def test_infinite_potentials_are_an_error(simulate):
    with pytest.raises(AssertionError, match=r"HH_cond_exp.*infinite or not a number"):
        simulate("brian2", "infinite")


# Limits and other simulators


def test_limits_give_a_reason_and_a_way_out():
    for system in WITHIN:
        assert limits.unsupported(system, "IF_curr_exp", 0.1, True, {"tau_refrac": 2.0}) == []
    refused = [
        limits.unsupported("nest-precise", "IF_cond_exp", 0.1),
        limits.unsupported("nest-precise", "IF_curr_exp", 1.0, False, {"tau_refrac": 0.1}),
        limits.unsupported("nest", "HH_cond_exp", 0.5),
        limits.unsupported("nest", "IF_curr_exp", 0.03125),
        limits.unsupported("neuron", "IF_curr_delta", 0.1),
    ]
    for reasons in refused:
        assert len(reasons) == 1
        assert "use " in reasons[0] and reasons[0].endswith(".")
    assert limits.noted("nest", "IF_curr_exp", 0.1, {"tau_refrac": 2.0}) == []
    assert "no multiple" in limits.noted("nest", "IF_curr_exp", 0.1, {"tau_refrac": 0.25})[0]
    assert "Euler" in limits.noted("brian2", "Izhikevich", 0.1)[0]


def test_a_simulator_without_corrections_is_used_through_pynn_alone(simulate):
    result = simulate("mock", "mock")
    assert result["v"].shape == (100, 2)
    assert result["index"].dtype == np.int64
    assert np.all((result["times"] > 0) & (result["times"] <= 50))
    assert "No corrections are known for mock" in str(result["notes"][0])


def test_an_unknown_simulator_is_an_import_error():
    with pytest.raises(ImportError):
        conventions.open_simulator("no_such_simulator", 0.1, 1)


# NEURON's compile step


@pytest.fixture
def small_folder(tmp_path, monkeypatch):
    """A folder with one mechanism, in the place of PyNN's."""
    source = mechanisms._mechanisms_folder() / "reset.mod"
    (tmp_path / "reset.mod").write_bytes(source.read_bytes())
    monkeypatch.setattr(mechanisms, "_mechanisms_folder", lambda: tmp_path)
    return tmp_path


def test_mechanisms_are_compiled_once_by_whoever_comes_first(small_folder, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")  # not the environment's own
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(mechanisms.compile_mechanisms, [said.append, said.append]))
    assert sorted(done) == [False, True]
    assert len(said) == 2
    assert len(list(Path(small_folder).glob("*/libnrnmech.*"))) == 1
    assert mechanisms.compile_mechanisms(said.append) is False


def test_no_compiler_is_said_with_what_to_install(small_folder, monkeypatch):
    monkeypatch.setenv("PATH", str(small_folder))
    with pytest.raises(mechanisms.MechanismsMissing, match="apt-get install make"):
        mechanisms.compile_mechanisms()


def test_a_failed_compilation_shows_the_compilers_words(small_folder):
    (small_folder / "reset.mod").write_text("NEURON { POINT_PROCESS }")
    with pytest.raises(mechanisms.MechanismsMissing, match="reset"):
        mechanisms.compile_mechanisms()
    assert not mechanisms._compiled(small_folder)


def test_a_folder_that_cannot_be_written_is_said(small_folder, monkeypatch):
    monkeypatch.setattr(mechanisms.os, "access", lambda *_: False)
    with pytest.raises(mechanisms.MechanismsMissing, match="may not write to"):
        mechanisms.compile_mechanisms()
