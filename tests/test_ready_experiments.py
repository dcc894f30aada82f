"""The ready experiments, run for real on every local simulator."""

import numpy as np
import pytest

from analysis.statistics import summary
from pynn_model import files

everywhere = pytest.mark.backends("nest", "neuron", "brian2")


@everywhere
def test_frozen_noise_repeats_and_constant_current_does_not(run_on, backend):
    dc, noise = (summary(s) for s in run_on(backend, "mainen_sejnowski").block.segments)
    assert noise.reliability.low > 0.9
    assert dc.reliability.high < 0.5
    assert noise.schreiber.low > dc.schreiber.high
    # Under the constant current the scatter grows with the number of the spike.
    assert dc.spike_time_sd[1] < dc.spike_time_sd[5] < dc.spike_time_sd[10]
    assert noise.precision.value < 2.0


@everywhere
def test_a_users_own_network_runs_everywhere(run_on, backend):
    recording = run_on(backend, "balanced_network").recording
    assert [p.name for p in recording.populations] == ["excitatory", "inhibitory"]
    assert [p.size for p in recording.populations] == [80, 20]
    for population in recording.populations:
        rate = len(population.spike_times) / population.size  # over 1 s
        assert 5 < rate < 20
        assert population.v.shape == (2000, 4)


@everywhere
def test_native_noise_differs_between_trials_and_has_the_asked_strength(run_on, backend):
    """Free of spikes, v is a sum of held samples: its SD follows from theirs.

    With decay a per hold and gain g = R (1 - a), the stationary SD of v at the end of a hold is
    g sd / sqrt(1 - a**2); R 120 MOhm, tau 30 ms, hold 1 ms, sd 0.02 nA.
    """
    changes = {
        "conditions.0.currents.0.mean": 0.1,
        "conditions.0.currents.0.stdev": 0.02,
        "duration": 2000.0,
    }
    (population,) = run_on(backend, "noise_native", **changes).recording.populations
    assert len(population.spike_times) == 0
    settled = population.v[600::2]  # from 300 ms on, once a hold
    a = np.exp(-1 / 30)
    expected = 120 * (1 - a) * 0.02 / np.sqrt(1 - a**2)
    assert settled.std() == pytest.approx(expected, rel=0.1)
    assert settled.mean() == pytest.approx(-70 + 12, abs=0.1)
    correlations = np.corrcoef(settled.T)[np.triu_indices(25, 1)]
    assert np.abs(correlations).max() < 0.8
    assert abs(correlations.mean()) < 0.1


def test_what_cannot_be_controlled_is_said(run_on):
    notes = run_on("nest", "noise_native").recording.provenance["notes"]
    assert any("number of cells or threads" in note for note in notes)


def test_the_f_i_curve_is_the_closed_form(run_on):
    """Rates within half a spike over the 2 s of each level."""
    from analysis.theory import firing_rate, lif_neuron

    experiment = files.load("fi_curve")
    cell = lif_neuron(experiment.neuron.cell_type, experiment.neuron.parameters)
    populations = {p.name: p for p in run_on("nest", "fi_curve").recording.populations}
    for condition in experiment.conditions:
        if condition.series == "constant":
            population = populations[condition.name]
            rate = len(population.spike_times) / population.size / 2.0
            assert rate == pytest.approx(float(firing_rate(cell, condition.level)), abs=0.8)


def test_the_stimuli_do_what_they_are_for(run_on):
    impulse, pulse, sinusoid = run_on("nest", "stimuli").recording.populations
    assert np.all(np.abs(impulse.spike_times - 500.1) < 0.01)  # the second impulse, at once
    assert len(impulse.spike_times) == 5
    assert pulse.spike_times.min() > 200
    assert pulse.spike_times.max() < 701
    assert len(sinusoid.spike_times) > 5 * 5
