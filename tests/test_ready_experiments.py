"""The ready experiments, run for real on every local simulator."""

from functools import cache

import numpy as np
import pytest

import backends
from analysis.blocks import build_block
from analysis.statistics import summary
from pynn_model import files

SIMULATORS = ["nest", "neuron", "brian2"]

pytestmark = pytest.mark.xdist_group("ready")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")

    @cache
    def recording(backend, name, *changes):
        return backends.get(backend, folder).submit(files.load(name, changes)).result()

    return recording


def spikes(population):
    steps = np.rint(population.spike_times / 0.1).astype(int)
    return set(zip(population.spike_indices.tolist(), steps.tolist(), strict=True))


@pytest.mark.parametrize("backend", SIMULATORS)
def test_frozen_noise_repeats_and_constant_current_does_not(run, backend):
    dc, noise = (summary(s) for s in build_block(run(backend, "mainen_sejnowski")).segments)
    assert noise.reliability.low > 0.9
    assert dc.reliability.high < 0.5
    assert noise.schreiber.low > dc.schreiber.high
    # Under the constant current the scatter grows with the number of the spike.
    assert dc.spike_time_sd[1] < dc.spike_time_sd[5] < dc.spike_time_sd[10]
    assert noise.precision.value < 2.0


EVERY_STEP = (
    "trials=50",
    "duration=500.0",
    "conditions.noise.currents.0.dt=0.1",
    "conditions.noise.currents.1.dt=0.1",
    "conditions.dc.currents.1.dt=0.1",
    "conditions.noise.currents.0.mean=0.3",
    "record.v_interval=0.1",
)


@pytest.mark.parametrize("changes", [(), EVERY_STEP], ids=["as it is", "changing every step"])
def test_all_simulators_give_the_same_spikes_on_the_same_grid_points(run, changes):
    recordings = [run(backend, "mainen_sejnowski", *changes) for backend in SIMULATORS]
    for populations in zip(*(r.populations for r in recordings), strict=True):
        found = [spikes(population) for population in populations]
        together = set.intersection(*found)
        assert len(together) > 300
        assert len(together) >= 0.995 * len(set.union(*found))


def test_potentials_agree_between_spikes(run):
    reference, *others = (run(b, "mainen_sejnowski", *EVERY_STEP) for b in SIMULATORS)
    for other in others:
        for a, b in zip(reference.populations, other.populations, strict=True):
            assert a.v.shape == b.v.shape == (5000, 50)
            differing = np.abs(a.v - b.v) > 1e-4
            assert differing.mean() < 0.005


@pytest.mark.parametrize("backend", SIMULATORS)
def test_a_users_own_network_runs_everywhere(run, backend):
    recording = run(backend, "balanced_network")
    assert [p.name for p in recording.populations] == ["excitatory", "inhibitory"]
    assert [p.size for p in recording.populations] == [80, 20]
    for population in recording.populations:
        rate = len(population.spike_times) / population.size  # over 1 s
        assert 5 < rate < 20
        assert population.v.shape == (2000, 4)


@pytest.mark.parametrize("backend", SIMULATORS)
def test_native_noise_differs_between_trials_and_has_the_asked_strength(run, backend):
    """Free of spikes, v is a sum of held samples: its SD follows from theirs.

    With decay a per hold and gain g = R (1 - a), the stationary SD of v at the end of a hold is
    g sd / sqrt(1 - a**2); R 120 MOhm, tau 30 ms, hold 1 ms, sd 0.02 nA.
    """
    recording = run(
        backend,
        "noise_native",
        "conditions.0.currents.0.mean=0.1",
        "conditions.0.currents.0.stdev=0.02",
        "duration=2000.0",
    )
    (population,) = recording.populations
    assert len(population.spike_times) == 0
    settled = population.v[600::2]  # from 300 ms on, once a hold
    a = np.exp(-1 / 30)
    expected = 120 * (1 - a) * 0.02 / np.sqrt(1 - a**2)
    assert settled.std() == pytest.approx(expected, rel=0.1)
    assert settled.mean() == pytest.approx(-70 + 12, abs=0.1)
    correlations = np.corrcoef(settled.T)[np.triu_indices(25, 1)]
    assert np.abs(correlations).max() < 0.8
    assert abs(correlations.mean()) < 0.1


def test_what_cannot_be_controlled_is_said(run):
    notes = run("nest", "noise_native").provenance["notes"]
    assert any("number of cells or threads" in note for note in notes)


def test_the_f_i_curve_is_the_closed_form(run):
    """Rates within half a spike over the 2 s of each level."""
    from analysis.theory import firing_rate, lif_neuron

    experiment = files.load("fi_curve")
    cell = lif_neuron(experiment.neuron.cell_type, experiment.neuron.parameters)
    populations = {p.name: p for p in run("nest", "fi_curve").populations}
    for condition in experiment.conditions:
        if condition.series == "constant":
            population = populations[condition.name]
            rate = len(population.spike_times) / population.size / 2.0
            assert rate == pytest.approx(float(firing_rate(cell, condition.level)), abs=0.8)


def test_the_stimuli_do_what_they_are_for(run):
    impulse, pulse, sinusoid = run("nest", "stimuli").populations
    assert np.all(np.abs(impulse.spike_times - 500.1) < 0.01)  # the second impulse, at once
    assert len(impulse.spike_times) == 5
    assert pulse.spike_times.min() > 200
    assert pulse.spike_times.max() < 701
    assert len(sinusoid.spike_times) > 5 * 5
