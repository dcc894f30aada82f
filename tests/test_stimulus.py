"""What is injected: statistics of the noise against theory, waveforms against their formulas."""

import hashlib

import numpy as np
import pytest

from pynn_model import stimulus
from pynn_model.experiment import Experiment


def experiment(*currents, duration=1000.0, timestep=0.1, trials=4, seed=11, name="one"):
    return Experiment.from_dict(
        {
            "name": "test",
            "trials": trials,
            "duration": duration,
            "timestep": timestep,
            "seed": seed,
            "neuron": {"cell_type": "IF_curr_exp"},
            "conditions": [{"name": name, "currents": list(currents)}],
        }
    )


def noise(**changes):
    table = {"kind": "noise", "mean": 0.15, "stdev": 0.1, "shared": False, "spectrum": "white"}
    table.update(changes)
    return table


def shared(e):
    return stimulus.shared_current(e, e.conditions[0])


def private(e, trial):
    return stimulus.private_current(e, e.conditions[0], trial)


AUTOCORRELATION = {
    "ou": lambda lag, tau: np.exp(-lag / tau),
    "alpha": lambda lag, tau: (1 + lag / tau) * np.exp(-lag / tau),
}


@pytest.mark.parametrize("spectrum", ["white", "ou", "alpha"])
@pytest.mark.parametrize("timestep", [0.1, 0.5, 1.0])
def test_private_noise_has_the_requested_mean_sd_and_autocorrelation(spectrum, timestep):
    """Over an ensemble of 60 trials of 5 s: errors of the estimates are below 1 %."""
    tau = {} if spectrum == "white" else {"tau": 3.0}
    e = experiment(noise(spectrum=spectrum, **tau), duration=5000.0, timestep=timestep, trials=60)
    samples = stimulus.private_currents(e, e.conditions[0], list(range(60))) - 0.15
    assert abs(samples.mean()) < 0.002
    assert samples.std() == pytest.approx(0.1, rel=0.02)
    # Stationary from the first sample on: no transient.
    assert samples[:, 0].std(ddof=1) == pytest.approx(0.1, rel=0.3)
    for lag in (1.0, 3.0, 6.0, 12.0):
        k = round(lag / timestep)
        measured = (samples[:, :-k] * samples[:, k:]).mean() / samples.var()
        expected = AUTOCORRELATION[spectrum](lag, 3.0) if tau else 0.0
        assert measured == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("spectrum", ["white", "ou", "alpha"])
@pytest.mark.parametrize("timestep", [0.1, 0.5, 1.0])
def test_a_frozen_stimulus_has_just_the_requested_mean_and_sd(spectrum, timestep):
    tau = {} if spectrum == "white" else {"tau": 3.0}
    current = shared(experiment(noise(spectrum=spectrum, shared=True, **tau), timestep=timestep))
    assert current.mean() == pytest.approx(0.15, abs=1e-12)
    assert current.std() == pytest.approx(0.1, rel=1e-9)


def test_normalise_can_be_turned_off():
    current = shared(experiment(noise(shared=True, normalise=False)))
    assert abs(current.std() - 0.1) > 1e-6


@pytest.mark.parametrize("ratio", [1e-3, 0.03, 1.0, 30.0])
def test_the_spectrum_is_exact_for_any_ratio_of_dt_to_tau(ratio):
    """The transition keeps the stationary covariance: A P A' + Q = P, with P the identity."""
    (xx, xz, zx, zz), (a, b, c) = stimulus._alpha_coefficients(ratio)
    transition, root = np.array([[xx, xz], [zx, zz]]), np.array([[a, 0], [b, c]])
    np.testing.assert_allclose(transition @ transition.T + root @ root.T, np.eye(2), atol=1e-10)


def test_noise_is_held():
    e = experiment(noise(dt=1.0, shared=True))
    held = shared(e).reshape(-1, 10)
    assert np.all(held == held[:, :1])
    assert np.all(held[1:, 0] != held[:-1, 0])


def test_noise_acts_in_its_window_only():
    current = shared(experiment(noise(shared=True, start=10.0, stop=20.3, dt=0.5), duration=50.0))
    assert np.all(current[:100] == 0)
    assert np.all(current[203:] == 0)
    assert np.all(current[100:203] != 0)


def test_shared_is_the_same_for_all_trials_and_private_differs_in_all():
    e = experiment(noise(shared=False), noise(shared=True))
    trials = np.array([private(e, k) for k in range(4)])
    for k in range(4):
        for other in range(k):
            assert abs(np.corrcoef(trials[k], trials[other])[0, 1]) < 0.05
    assert not stimulus.has_private(experiment(noise(shared=True)).conditions[0])


def test_the_seed_alone_decides():
    frozen = noise(shared=True)
    assert np.array_equal(shared(experiment(frozen)), shared(experiment(frozen)))
    assert not np.array_equal(shared(experiment(frozen)), shared(experiment(frozen, seed=12)))
    assert not np.array_equal(shared(experiment(frozen)), shared(experiment(frozen, name="two")))


def test_more_trials_change_no_trials_noise():
    few, many = experiment(noise(), trials=2), experiment(noise(), trials=5)
    assert np.array_equal(private(few, 1), private(many, 1))


def test_a_noise_seed_gives_two_conditions_the_same_noise():
    seeded = noise(shared=True, seed=3)
    assert np.array_equal(
        shared(experiment(seeded, name="a", seed=1)), shared(experiment(seeded, name="b", seed=2))
    )


def test_gaussian():
    """Skewness and excess kurtosis of a million samples, 5 standard errors."""
    x = private(experiment(noise(mean=0.0, stdev=1.0), duration=1e5), 0)
    assert abs((x**3).mean()) < 5 * np.sqrt(15 / x.size)
    assert abs((x**4).mean() - 3) < 5 * np.sqrt(96 / x.size)


def test_currents_follow_their_formulas():
    t = np.arange(1000) * 0.1
    cases = [
        ({"kind": "constant", "amplitude": 0.2}, np.full(1000, 0.2)),
        (
            {"kind": "constant", "amplitude": 0.2, "start": 10.0, "stop": 20.0},
            np.where((t > 9.99) & (t < 19.99), 0.2, 0.0),
        ),
        (
            {"kind": "pulse", "amplitude": 0.3, "start": 5.0, "stop": 7.0, "period": 10.0},
            np.where((t % 10 > 4.99) & (t % 10 < 6.99), 0.3, 0.0),
        ),
        (
            {"kind": "ramp", "amplitude_start": 0.1, "amplitude_stop": 0.3},
            0.1 + 0.2 * t / 100,
        ),
        (
            {"kind": "sinusoid", "amplitude": 0.2, "frequency": 50.0, "phase": 90.0, "offset": 0.1},
            0.1 + 0.2 * np.cos(2 * np.pi * 50 * t / 1000),
        ),
    ]
    for table, expected in cases:
        np.testing.assert_allclose(shared(experiment(table, duration=100.0)), expected, atol=1e-12)


@pytest.mark.parametrize("timestep", [0.1, 0.5, 1.0])
def test_an_impulse_delivers_its_charge_whatever_the_timestep(timestep):
    e = experiment({"kind": "impulse", "charge": 2.5, "time": 100.0}, timestep=timestep)
    current = shared(e)
    assert current.sum() * timestep == pytest.approx(2.5)
    assert np.flatnonzero(current).tolist() == [round(100 / timestep)]


def test_currents_add_up():
    a, b = {"kind": "constant", "amplitude": 0.2}, noise(shared=True)
    both = experiment(a, b)
    place = stimulus._sequences(
        both, both.conditions[0], 1, both.conditions[0].currents[1], ["shared"]
    )
    np.testing.assert_allclose(shared(both), 0.2 + place[:, 0])


def test_steps_name_every_change_and_nothing_else():
    times, amplitudes = stimulus.steps(np.array([0.0, 0.0, 1.0, 1.0, 0.5]), 0.1)
    assert times.tolist() == [0.0, 0.2, 0.4]
    assert amplitudes.tolist() == [0.0, 1.0, 0.5]


def test_step_times_are_the_decimal_numbers_of_the_grid():
    times, _ = stimulus.steps(np.arange(5000.0), 0.1)
    assert times.tolist() == [k / 10 for k in range(5000)]


def test_the_sine_is_the_mathematical_one():
    turns = np.random.RandomState(0).uniform(-50, 50, 100_000)
    exact = np.sin(2 * np.pi * (turns - np.rint(turns)))
    assert np.abs(stimulus._sine(turns) - exact).max() < 1e-15
    quarters = stimulus._sine(np.array([0, 0.25, 0.5, 0.75, 1.0, -0.25]))
    assert quarters.tolist() == [0, 1, 0, -1, 0, -1]


def test_the_sine_is_the_same_bits_everywhere():
    """As on Python 3.8 with numpy 1.23 and 1.24, 3.11 with 2.3, and 3.13 with 2.5."""
    values = stimulus._sine(np.arange(20_000) * 0.000517)
    assert hashlib.sha256(values.tobytes()).hexdigest()[:16] == "dd2a105ccc8e922e"
