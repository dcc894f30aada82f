"""Closed forms of the integrate-and-fire neuron against known answers and direct integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import theory

EXAMPLE = theory.lif_neuron(
    "IF_curr_exp",
    {
        "tau_m": 30.0,
        "cm": 0.25,
        "v_rest": -70.0,
        "v_thresh": -53.0,
        "v_reset": -80.0,
        "tau_refrac": 2.0,
        "i_offset": 0.2,
        "tau_syn_E": 3.0,
    },
)
TUTORIAL = theory.LIF(
    tau_m=10.0, cm=0.1, v_rest=-75.0, v_thresh=-55.0, v_reset=-75.0, tau_refrac=2.0
)


def test_first_spike_and_period_are_the_known_ones():
    assert float(theory.first_spike_time(EXAMPLE, 0.0)) == pytest.approx(36.964310, abs=1e-6)
    assert float(theory.period(EXAMPLE, 0.0)) == pytest.approx(49.413511, abs=1e-6)


def test_rheobase_is_the_known_one():
    assert theory.rheobase(EXAMPLE) + EXAMPLE.i_offset == pytest.approx(0.1416667, abs=1e-7)


def test_the_offset_counts_as_current():
    without = theory.lif_neuron("IF_curr_delta", {**vars(EXAMPLE), "i_offset": 0.0})
    assert theory.firing_rate(without, 0.2) == theory.firing_rate(EXAMPLE, 0.0)


def test_subthreshold_potential_is_the_known_one():
    times = np.linspace(0, 30, 7)
    expected = -70 + 24 * (1 - np.exp(-times / 30))
    np.testing.assert_allclose(theory.membrane_potential(EXAMPLE, 0.0, times), expected, rtol=1e-14)


def test_firing_rates_of_the_tutorial_cell():
    currents = np.array([0.2, 0.21, 0.25, 0.3, 0.5, 1.0])
    expected = [0, 30.821, 55.266, 77.005, 140.681, 236.326]
    np.testing.assert_allclose(theory.firing_rate(TUTORIAL, currents), expected, atol=5e-4)
    assert theory.firing_rate(TUTORIAL, 0.2) == 0


def test_it_never_fires_up_to_the_rheobase():
    currents = theory.rheobase(TUTORIAL) * np.array([-1.0, 0.0, 0.5, 1.0])
    assert np.isinf(theory.first_spike_time(TUTORIAL, currents)).all()
    assert np.isinf(theory.period(TUTORIAL, currents)).all()
    assert (theory.firing_rate(TUTORIAL, currents) == 0).all()
    assert theory.spike_times(TUTORIAL, 0.1, 1000.0).size == 0


def test_spike_times_follow_from_first_spike_and_period():
    times = theory.spike_times(EXAMPLE, 0.0, 200.0)
    np.testing.assert_allclose(times, 36.964310 + 49.413511 * np.arange(4), atol=5e-6)
    assert theory.spike_times(EXAMPLE, 0.0, 36.0).size == 0
    assert theory.spike_times(EXAMPLE, 0.0, float(times[0])).size == 1
    assert theory.spike_times(EXAMPLE, 0.0, float(times[2]) + 1e-9).size == 3


def test_the_potential_reaches_the_threshold_at_the_first_spike():
    at = theory.first_spike_time(EXAMPLE, 0.05, v_init=-60.0)
    v = theory.membrane_potential(EXAMPLE, 0.05, at, v_init=-60.0)
    assert float(v) == pytest.approx(EXAMPLE.v_thresh, abs=1e-12)
    assert float(theory.first_spike_time(EXAMPLE, 0.05, v_init=-53.0)) == 0.0


@settings(derandomize=True, deadline=None)
@given(st.floats(0.205, 5.0), st.floats(0.0, 10.0), st.floats(-90.0, -60.0))
def test_period_against_direct_integration(current, tau_refrac, v_reset):
    neuron = theory.LIF(10.0, 0.1, -75.0, -55.0, v_reset, tau_refrac)
    # Time as an integral over the potential, dt = dv tau_m / (v_inf - v), by Gauss-Legendre.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    v = v_reset + (neuron.v_thresh - v_reset) * (nodes + 1) / 2
    v_inf = neuron.v_rest + neuron.resistance * current
    climb = (neuron.v_thresh - v_reset) / 2 * np.sum(weights * neuron.tau_m / (v_inf - v))
    assert float(theory.period(neuron, current)) == pytest.approx(tau_refrac + climb, rel=1e-6)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(-1.0, 10.0), min_size=2, max_size=20))
def test_the_rate_rises_with_the_current_up_to_the_refractory_limit(currents):
    rates = theory.firing_rate(TUTORIAL, np.sort(currents))
    assert (np.diff(rates) >= 0).all()
    assert (rates >= 0).all() and (rates < 1000 / TUTORIAL.tau_refrac).all()


def test_left_out_parameters_have_pynns_defaults():
    neuron = theory.lif_neuron("IF_cond_exp", {"tau_m": 15.0})
    assert (neuron.tau_m, neuron.cm, neuron.v_thresh, neuron.tau_refrac) == (15.0, 1.0, -50.0, 0.1)


@pytest.mark.parametrize("cell_type", ["Izhikevich", "HH_cond_exp", "EIF_cond_exp_isfa_ista", "x"])
def test_other_cell_types_have_no_closed_form(cell_type):
    with pytest.raises(ValueError, match=f"cell_type is '{cell_type}'.*IF_curr_exp"):
        theory.lif_neuron(cell_type, {})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("tau_m", 0.0, "above 0"),
        ("cm", -1.0, "above 0"),
        ("tau_refrac", -0.1, "0 or more"),
        ("v_reset", -50.0, "below v_thresh"),
        ("v_rest", float("nan"), "finite"),
    ],
)
def test_impossible_parameters_are_refused(name, value, allowed):
    with pytest.raises(ValueError, match=f"{name} is {value}.*{allowed}"):
        theory.lif_neuron("IF_curr_exp", {name: value})


@pytest.mark.parametrize("duration", [-1.0, float("inf"), float("nan")])
def test_an_impossible_duration_is_refused(duration):
    with pytest.raises(ValueError, match="duration is"):
        theory.spike_times(EXAMPLE, 0.0, duration)
