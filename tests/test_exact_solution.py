"""The exact simulators against closed forms and against a second, slow solution."""

from __future__ import annotations

import exact_solver
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backends.simulators.exact as exact
import backends.simulators.exact_grid as exact_grid
from backends.simulators.closed_form import crossing

pytestmark = pytest.mark.xdist_group("exact")  # its kernels are compiled once
CELL = {
    "tau_m": 30.0,
    "cm": 0.25,
    "v_rest": -70.0,
    "v_reset": -80.0,
    "v_thresh": -53.0,
    "tau_refrac": 2.0,
}
WITHIN = 1e-9
"""ms: how well spike times are found."""


def examples(number):
    """So many, the same each time; the first one has to wait for the compiler."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


def one_cell(sim, cell_type, parameters, v, duration, timestep, currents=(), events=(), every=None):
    """(spike times, v) of one cell; currents: (time, nA), events: (time, receptor, weight)."""
    sim.setup(timestep=timestep)
    cell = sim.Population(1, getattr(sim, cell_type)(**parameters), initial_values={"v": v})
    if currents:
        times, amplitudes = zip(*currents, strict=True)
        sim.StepCurrentSource(times=times, amplitudes=amplitudes).inject_into(cell)
    for receptor in ("excitatory", "inhibitory"):
        for time, of_it, weight in events:
            if of_it == receptor:
                source = sim.Population(1, sim.SpikeSourceArray(spike_times=[time - timestep]))
                synapse = sim.StaticSynapse(weight=weight, delay=timestep)
                connector = sim.OneToOneConnector()
                sim.Projection(source, cell, connector, synapse, receptor_type=receptor)
    cell.record("spikes")
    cell.record("v", sampling_interval=every or timestep)
    sim.run(duration)
    segment = cell.get_data().segments[0]
    return np.asarray(segment.spiketrains[0].magnitude), segment.filter(name="v")[0].magnitude[:, 0]


# --- closed forms ------------------------------------------------------------------------------


@pytest.mark.parametrize("timestep", [0.025, 0.1, 1.0])
def test_spikes_at_a_constant_current_are_the_closed_form(timestep):
    times, v = one_cell(exact, "IF_curr_exp", dict(CELL, i_offset=0.2), -70.0, 1000.0, timestep)
    first = 30 * np.log(24 / 7)
    period = 2 + 30 * np.log(34 / 7)
    assert (round(first, 6), round(period, 6)) == (36.964310, 49.413511)
    np.testing.assert_allclose(times, first + period * np.arange(len(times)), rtol=0, atol=WITHIN)
    assert len(times) == 20
    t = np.arange(round(36 / timestep)) * timestep
    np.testing.assert_allclose(v[: len(t)], -70 + 24 * -np.expm1(-t / 30), rtol=0, atol=1e-10)


def test_on_the_grid_the_closed_form_is_rounded_up_and_drifts():
    times, _ = one_cell(exact_grid, "IF_curr_exp", dict(CELL, i_offset=0.2), -70.0, 1000.0, 0.1)
    rise = np.ceil(30 * np.log(34 / 7) / 0.1) * 0.1
    expected = 37.0 + (2 + rise) * np.arange(20)
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-9)
    assert times[19] - (30 * np.log(24 / 7) + 19 * (2 + 30 * np.log(34 / 7))) > 1.6


@pytest.mark.parametrize("sim", [exact, exact_grid])
@pytest.mark.parametrize("through", ["i_offset", "a source"])
def test_at_its_rheobase_a_cell_is_silent(sim, through):
    cell = {
        "tau_m": 10.0,
        "cm": 0.1,
        "v_rest": -75.0,
        "v_reset": -75.0,
        "v_thresh": -55.0,
        "tau_refrac": 2.0,
    }
    given_current = {"i_offset": 0.2} if through == "i_offset" else {}
    currents = [] if given_current else [(0.0, 0.2)]
    parameters = dict(cell, **given_current)
    times, v = one_cell(sim, "IF_curr_exp", parameters, -75.0, 2000.0, 0.1, currents)
    assert len(times) == 0
    assert v[-1] == pytest.approx(-55, abs=1e-9)


@pytest.mark.parametrize(
    ("current", "rate"),
    [(0.21, 30.821), (0.25, 55.266), (0.3, 77.005), (0.5, 140.681), (1.0, 236.326)],
)
def test_rates_of_the_tutorial_cell(current, rate):
    cell = {
        "tau_m": 10.0,
        "cm": 0.1,
        "v_rest": -75.0,
        "v_reset": -75.0,
        "v_thresh": -55.0,
        "tau_refrac": 2.0,
    }
    times, _ = one_cell(exact, "IF_curr_exp", dict(cell, i_offset=current), -75.0, 500.0, 1.0)
    assert 1000 / np.diff(times) == pytest.approx(rate, abs=1e-3)


def test_several_spikes_in_one_step_are_all_found():
    parameters = dict(CELL, tau_refrac=0.05, i_offset=400.0, v_reset=-70.0)
    times, _ = one_cell(exact, "IF_curr_exp", parameters, -70.0, 5.0, 1.0)
    first = 30 * np.log1p(17 / (48000 - 17))
    expected = first + (first + 0.05) * np.arange(len(times))
    assert len(times) == int((5 - first) / (first + 0.05)) + 1 > 50
    np.testing.assert_allclose(times, expected, rtol=0, atol=WITHIN)


def test_a_cell_put_above_its_threshold_fires_at_once():
    times, v = one_cell(exact, "IF_curr_exp", CELL, -40.0, 5.0, 0.1)
    assert len(times) == 1
    assert 0 < times[0] < 1e-12
    assert v[0] == -40.0
    assert np.all(v[1:20] == -80.0)


# --- crossings that come back ------------------------------------------------------------------


def peak_of(p, weight, timestep):
    """(time, v) of the highest point after an excitatory event at the end of the first step."""
    t = np.linspace(0, timestep, 200_001)[1:]
    rate = 1 / p["tau_m"] - 1 / p["tau_syn_E"]
    v = p["v_rest"] + weight / p["cm"] * np.exp(-t / p["tau_m"]) * np.expm1(rate * t) / rate
    return t[v.argmax()], v.max()


@pytest.mark.parametrize("above", [1e-3, 1e-7, 1e-9])
def test_a_crossing_within_a_step_is_not_missed(above):
    """v rises above the threshold and is below it again at the end of the step."""
    p = dict(CELL, tau_m=2.0, tau_syn_E=0.2, v_reset=-70.0, v_thresh=0.0)
    time, highest = peak_of(p, 10.0, 1.0)
    events = [(1.0, "excitatory", 10.0)]
    p["v_thresh"] = highest - above
    times, v = one_cell(exact, "IF_curr_exp", p, -70.0, 5.0, 1.0, events=events)
    assert len(times) == 1
    assert times[0] == pytest.approx(1 + time, abs=0.02)
    assert np.all(v < p["v_thresh"])
    expected = exact_solver.spikes("IF_curr_exp", p, -70.0, [(0.0, 0.0)], events, 5.0)
    if above > 1e-8:
        assert times == pytest.approx(expected, abs=1e-7)
    assert len(one_cell(exact_grid, "IF_curr_exp", p, -70.0, 5.0, 1.0, events=events)[0]) == 0
    p["v_thresh"] = highest + above
    assert len(one_cell(exact, "IF_curr_exp", p, -70.0, 5.0, 1.0, events=events)[0]) == 0


@pytest.mark.parametrize(
    "amplitudes",
    [(0.0, 9.0, 0.0, 0.0), (30.0, 0.0, -60.0, 0.0), (3.0, 9.0, -40.0, -2.0)],
    ids=["alpha", "inhibition that ends sooner", "both"],
)
@pytest.mark.parametrize("above", [1e-2, 1e-6])
def test_a_crossing_is_found_where_the_slope_is_negative_at_both_ends(amplitudes, above):
    """At the threshold v would fall at the beginning and at the end, and rises in between."""
    p = {"tau_m": 3.0, "cm": 1.0, "v_rest": 0.0, "tau_syn_E": 1.5, "tau_syn_I": 0.4}
    a = exact_solver.system(p, 0.0)
    x = np.array([0.0, *amplitudes, 1.0])
    step = exact_solver.expm(a * 1e-3)
    states = [x]
    for _ in range(20_000):
        states.append(step @ states[-1])
    v = np.array(states)[:, 0]
    thresh = v.max() - above
    rates = (1 / p[name] for name in ("tau_m", "tau_syn_E", "tau_syn_I"))
    interval = crossing.Interval(-thresh, -thresh, *amplitudes, *rates)
    assert crossing.level(0, interval, 0.0) < 0 > crossing.level(0, interval, 20.0)
    found = crossing.first_crossing(interval, 20.0)
    assert found == pytest.approx(1e-3 * np.argmax(v >= thresh), abs=2e-3)
    assert crossing.above(interval, found) == pytest.approx(0.0, abs=1e-12)


amplitude = st.one_of(st.just(0.0), st.floats(-60, 60))
tau = st.one_of(st.sampled_from([0.5, 2.0, 5.0]), st.floats(0.1, 50.0))


@examples(100)
@given(
    height=st.floats(-20, -0.001),
    gap=st.floats(-30, 30),
    amplitudes=st.tuples(amplitude, amplitude, amplitude, amplitude),
    taus=st.tuples(tau, tau, tau),
    duration=st.floats(0.01, 5.0),
)
def test_the_first_crossing_of_any_interval(height, gap, amplitudes, taus, duration):
    i_e, d_e, i_i, d_i = amplitudes
    p = {"tau_m": taus[0], "cm": 1.0, "v_rest": gap, "tau_syn_E": taus[1], "tau_syn_I": taus[2]}
    interval = crossing.Interval(height, gap, *amplitudes, *(1 / t for t in taus))
    found = crossing.first_crossing(interval, duration)
    x = np.array([height, i_e, d_e, i_i, d_i, 1.0])
    expected = exact_solver.first_crossing(exact_solver.system(p, 0.0), x, duration, 0.0)
    if expected is None:
        assert found == -1.0 or crossing.above(interval, found) < 1e-9
    else:
        assert found >= 0
        slope = (
            crossing.above(interval, expected) - crossing.above(interval, expected - 1e-6)
        ) / 1e-6
        assert found == pytest.approx(expected, abs=max(1e-9, 1e-11 / max(abs(slope), 1e-7)))


# --- everything together -----------------------------------------------------------------------

weight = st.floats(0.05, 3.0)


@examples(25)
@given(
    cell_type=st.sampled_from(["IF_curr_exp", "IF_curr_alpha", "IF_curr_delta"]),
    timestep=st.sampled_from([0.1, 0.5, 1.0]),
    equal=st.booleans(),
    tau_refrac=st.sampled_from([0.0, 0.73, 2.0]),
    levels=st.lists(st.floats(-0.2, 0.9), min_size=1, max_size=4),
    events=st.lists(
        st.tuples(st.floats(2.0, 28.0), st.sampled_from(["excitatory", "inhibitory"]), weight),
        max_size=6,
        unique_by=lambda event: event[0],
    ),
)
def test_a_cell_with_currents_and_synapses(cell_type, timestep, equal, tau_refrac, levels, events):
    """exact, at any timestep, fires when the second solution does."""
    p = {"tau_m": 8.0, "cm": 0.25, "v_rest": -70.0, "v_reset": -72.0, "v_thresh": -60.0}
    p.update(tau_refrac=tau_refrac, i_offset=0.1)
    size = 4.0 if cell_type == "IF_curr_delta" else 1.0
    if cell_type != "IF_curr_delta":
        p.update(tau_syn_E=8.0 if equal else 1.5, tau_syn_I=3.0)
    currents = [(float(7 * k), level) for k, level in enumerate(levels)]
    events = [(t, r, w * size * (1 if r == "excitatory" else -1)) for t, r, w in events]
    found, _ = one_cell(exact, cell_type, p, -70.0, 30.0, timestep, currents, events)
    expected = exact_solver.spikes(cell_type, p, -70.0, currents, events, 30.0)
    assert len(found) == len(expected)
    assert found == pytest.approx(expected, abs=1e-8)
