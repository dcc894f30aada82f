"""Closed-form answers of leaky integrate-and-fire cells, on every local backend.

The numbers are those of the membrane equation (times in ms, rates in Hz); on the grid a spike is
stamped with the first grid point at or after the crossing, and the next cycle begins there.
"""

import math

import numpy as np
import pytest

import backends
from pynn_model.experiment import Experiment

ON_GRID = ["nest", "neuron", "brian2"]

# IF_curr_exp, tau_m 30, cm 0.25, rest -70, threshold -53, reset -80, tau_refrac 2, 0.2 nA
FIRST, PERIOD, RHEOBASE = 36.964310, 49.413511, 0.1416667
# C 100 pF, g_L 10 nS, E_L = V_reset = -75, threshold -55 mV, t_ref 2 ms
RATES = {0.21: 30.821, 0.25: 55.266, 0.3: 77.005, 0.5: 140.681, 1.0: 236.326}


def experiment(levels, parameters, timestep=0.1, duration=1000.0, **record):
    return Experiment.from_dict(
        {
            "name": "known",
            "trials": 1,
            "duration": duration,
            "timestep": timestep,
            "seed": 1,
            "neuron": {"cell_type": "IF_curr_exp", "parameters": parameters},
            "record": record,
            "conditions": [
                {"name": f"{level:g}", "currents": [{"kind": "constant", "amplitude": level}]}
                for level in levels
            ],
        }
    )


def first_cell(levels, **options):
    parameters = {
        "tau_m": 30.0,
        "cm": 0.25,
        "v_rest": -70.0,
        "v_thresh": -53.0,
        "v_reset": -80.0,
        "tau_refrac": 2.0,
    }
    return experiment(levels, parameters, **options)


def run(backend, experiment, folder):
    return backends.get(backend, folder).submit(experiment).result().populations


@pytest.mark.xdist_group("brian2")
@pytest.mark.parametrize("backend", ON_GRID)
def test_spikes_on_the_grid_are_the_closed_form_rounded_up(backend, tmp_path):
    """First spike at 37.0 ms, then every 49.5 ms: the 20th is 1.68 ms late."""
    (population,) = run(backend, first_cell([0.2]), tmp_path)
    first = math.ceil(FIRST / 0.1) * 0.1
    period = math.ceil(PERIOD / 0.1) * 0.1
    expected = first + period * np.arange(20)
    np.testing.assert_allclose(population.spike_times, expected, atol=1e-9)
    exact = FIRST + 19 * PERIOD
    assert population.spike_times[19] - exact == pytest.approx(1.68, abs=0.005)


def test_spikes_off_the_grid_are_the_closed_form(tmp_path):
    (population,) = run("nest-precise", first_cell([0.2]), tmp_path)
    expected = FIRST + PERIOD * np.arange(20)
    np.testing.assert_allclose(population.spike_times, expected, atol=1e-5)


@pytest.mark.xdist_group("brian2")
@pytest.mark.parametrize("backend", [*ON_GRID, "nest-precise"])
def test_the_rheobase_separates_silence_from_firing(backend, tmp_path):
    below, above = run(
        backend, first_cell([RHEOBASE - 1e-4, RHEOBASE + 1e-4], duration=1000.0), tmp_path
    )
    assert len(below.spike_times) == 0
    assert len(above.spike_times) > 0


@pytest.mark.xdist_group("brian2")
@pytest.mark.parametrize(
    ("backend", "accuracy"),
    [("nest", 1e-9), ("nest-precise", 1e-9), ("neuron", 1e-4), ("brian2", 1e-9)],
)
def test_subthreshold_potential_is_the_closed_form(backend, accuracy, tmp_path):
    """v = -70 + 12 (1 - exp(-t / 30)) mV for 0.1 nA, at every sample from the first."""
    (population,) = run(backend, first_cell([0.1], duration=200.0, v=1), tmp_path)
    t = np.arange(2000) * 0.1
    expected = -70 + 12 * (1 - np.exp(-t / 30))
    assert population.v.shape == (2000, 1)
    np.testing.assert_allclose(population.v[:, 0], expected, atol=accuracy)


@pytest.mark.xdist_group("brian2")
@pytest.mark.parametrize("backend", [*ON_GRID, "nest-precise"])
def test_rates_are_those_of_the_closed_form(backend, tmp_path):
    """The inverse of the interval; on the grid each interval is rounded up, by less than a step."""
    cell = {
        "tau_m": 10.0,
        "cm": 0.1,
        "v_rest": -75.0,
        "v_reset": -75.0,
        "v_thresh": -55.0,
        "tau_refrac": 2.0,
    }
    levels = [0.2, *RATES]
    populations = run(backend, experiment(levels, cell), tmp_path)
    assert len(populations[0].spike_times) == 0  # at the rheobase itself
    for population, rate in zip(populations[1:], RATES.values(), strict=True):
        intervals = np.diff(population.spike_times)
        if backend == "nest-precise":
            assert 1000 / intervals.mean() == pytest.approx(rate, abs=6e-4)
        else:
            rounded_up = math.ceil(1000 / rate / 0.1) * 0.1
            np.testing.assert_allclose(intervals, rounded_up, atol=1e-9)
