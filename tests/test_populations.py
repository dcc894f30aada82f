"""Tests of distributions: scipy's where it has them, honest levels, and defined at the edges."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import quantities as pq
from elephant.conversion import BinnedSpikeTrain
from elephant.spike_train_correlation import correlation_coefficient
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.effects import cliffs_delta, hedges_g, kl_divergence
from analysis.populations import (
    compare_samples,
    disjoint_correlations,
    holm_corrected,
    pairwise_correlations,
    pooled,
    population_samples,
    population_tests,
    sample_tests,
)
from tests.synthetic_trials import arrays, jittered_trials, poisson_trials, spike_trains

by_hypothesis = settings(derandomize=True, deadline=None)
VALUES = st.lists(
    st.one_of(st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0, 2.0, math.nan])), max_size=8
)


def compare(reference, other):
    return compare_samples(np.array(reference, float), np.array(other, float), "rate", "Hz")


def gamma_trials(shape, n_trials, seed):
    """Renewal trains of 20 Hz for 1 s, whose CV is shape^-0.5."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.gamma(shape, 50.0 / shape, (n_trials, 200)), axis=1) - 1000.0
    present = (times >= 0) & (times <= 1000.0)
    trials = np.broadcast_to(np.arange(n_trials)[:, None], times.shape)
    return arrays(times[present], trials[present], n_trials, 1000.0)


# --- values --------------------------------------------------------------------------------------


def test_statistics_and_p_values_are_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(10, 2, 40), rng.normal(11, 3, 35)
    found = compare(a, b)
    for result, theirs in (
        (found.kolmogorov_smirnov, stats.ks_2samp(a, b)),
        (found.mann_whitney, stats.mannwhitneyu(a, b)),
        (found.levene, stats.levene(a, b, center="median")),
    ):
        assert (result.statistic, result.p) == pytest.approx((theirs.statistic, theirs.pvalue))
        assert result.p_corrected == result.p
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(a, b))
    assert (found.n_reference, found.n_other) == (40, 35)
    assert (found.mean_reference, found.sd_other) == pytest.approx((a.mean(), b.std(ddof=1)))


def test_hedges_g_by_hand():
    """Means 2 and 4, pooled SD 1, 4 degrees of freedom: the correction is 0.7979."""
    found = hedges_g(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]))
    assert found.value == pytest.approx(2 * 0.7978845608)
    reach = 1.959963985 * math.sqrt(6 / 9 + found.value**2 / 12)
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))


def test_cliffs_delta_is_the_share_of_pairs():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, 12).astype(float), rng.integers(1, 7, 9).astype(float)
    found = cliffs_delta(a, b)
    signs = np.sign(np.subtract.outer(b, a))
    assert found.value == pytest.approx(signs.mean())
    assert -1 <= found.low < found.value < found.high <= 1
    # The variance of Cliff (1993), from the whole table of signs.
    rows, columns = signs.mean(axis=1), signs.mean(axis=0)
    n, m, d = 12, 9, found.value
    variance = n**2 * np.sum((rows - d) ** 2) + m**2 * np.sum((columns - d) ** 2)
    variance = (variance - np.sum((signs - d) ** 2)) / (n * m * (n - 1) * (m - 1))
    z = 1.959963985
    root = z * math.sqrt(variance * ((1 - d**2) ** 2 + z**2 * variance))
    scale = 1 - d**2 + z**2 * variance
    assert found.low == pytest.approx((d - d**3 - root) / scale)
    assert found.high == pytest.approx((d - d**3 + root) / scale)
    back = cliffs_delta(b, a)
    assert (back.value, back.low) == pytest.approx((-found.value, -found.high))


def test_kl_divergence_by_hand():
    """8 values: ceil(2 x 2) = 4 bins from 0 to 4, half a count in each."""
    a = np.array([0.0, 0.1, 0.2, 0.3, 1.5, 1.6, 2.5, 3.5])
    b = np.array([0.5, 1.5, 1.6, 2.1, 2.2, 2.3, 2.4, 4.0])
    p, q = np.array([4.5, 2.5, 1.5, 1.5]) / 10, np.array([1.5, 2.5, 4.5, 1.5]) / 10
    assert kl_divergence(a, b) == pytest.approx(float(np.sum(p * np.log(p / q))))
    assert kl_divergence(a, a) == 0.0


def test_holm_by_hand():
    """p = .01, .04, .03 and .005 of four tests become .03, .06, .06 and .02."""
    nothing, one = compare([], []), compare([1.0, 2.0], [1.0, 2.0])

    def of(p):
        return replace(one.levene, p=p)

    tests = (
        replace(nothing, kolmogorov_smirnov=of(0.01), mann_whitney=of(0.04)),
        replace(nothing, kolmogorov_smirnov=of(0.03), levene=of(0.005)),
    )
    first, second = holm_corrected(tests)
    assert first.kolmogorov_smirnov.p_corrected == pytest.approx(0.03)
    assert first.mann_whitney.p_corrected == pytest.approx(0.06)
    assert second.kolmogorov_smirnov.p_corrected == pytest.approx(0.06)
    assert second.levene.p_corrected == pytest.approx(0.02)
    assert math.isnan(first.levene.p_corrected) and first.levene.statistic != 0
    assert first.p_least == pytest.approx(0.03) and first.differs(0.05)
    assert not first.differs(0.02)


# --- correlations --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")
@pytest.mark.filterwarnings("ignore:the matrix subclass is not the recommended way")
def test_correlations_are_elephants():
    spikes = jittered_trials(np.arange(50.0, 850.0, 60.0), 9, seed=3)
    trains = spike_trains([spikes.times[spikes.trials == k] for k in range(9)], t_stop=900.0)
    binned = BinnedSpikeTrain(trains, bin_size=5 * pq.ms)
    expected = correlation_coefficient(binned, binary=False)
    found = pairwise_correlations(spikes, 5.0)
    np.testing.assert_allclose(found, expected[np.triu_indices(9, 1)], atol=1e-12)
    disjoint = [expected[k, k + 4] for k in range(4)]
    np.testing.assert_allclose(disjoint_correlations(spikes, 5.0), disjoint, atol=1e-12)


def test_a_constant_count_has_no_correlation():
    each_bin = np.arange(2.5, 100.0, 5.0)
    found = pairwise_correlations(spike_trains([[10.0, 50.0], [], each_bin, [10.0, 50.0]]))
    np.testing.assert_allclose(found, [np.nan, np.nan, 1.0, np.nan, np.nan, np.nan])


def test_the_last_bin_counts_if_it_is_whole():
    """In 100 ms bins of 5 ms hold the end; of bins of 30 ms the last 10 ms are left out."""
    late = spike_trains([[12.0, 100.0], [13.0, 97.0]])
    assert pairwise_correlations(late, 5.0)[0] == pytest.approx(1.0)
    assert pairwise_correlations(late, 30.0)[0] == pytest.approx(1.0)
    assert pairwise_correlations(spike_trains([[12.0, 95.0], [13.0]]), 30.0)[0] == pytest.approx(1)


@pytest.mark.parametrize("bin_size", [0.0, math.nan, 60.0])
def test_impossible_bins_are_refused(bin_size):
    with pytest.raises(ValueError, match=f"bin_size is {bin_size}"):
        pairwise_correlations(spike_trains([[1.0], [2.0]]), bin_size)


def test_a_thousand_trials_take_less_than_a_second():
    a, b = (poisson_trials(1000, 15.0, 1000.0, seed=seed) for seed in (1, 2))
    compare([1.0, 2.0], [1.0, 3.0])  # Imports scipy.
    start = time.process_time()
    assert pairwise_correlations(a).size == 499_500
    population_tests(a, b)
    assert time.process_time() - start < 1


# --- edges ---------------------------------------------------------------------------------------


@by_hypothesis
@given(VALUES, VALUES)
def test_any_samples_have_a_result_without_a_warning(a, b):
    found = compare(a, b)
    n, m = (sum(not math.isnan(value) for value in side) for side in (a, b))
    assert (found.n_reference, found.n_other) == (n, m)
    for result in (found.kolmogorov_smirnov, found.mann_whitney):
        assert 0 <= result.p <= 1 if min(n, m) else math.isnan(result.p)
    assert 0 <= found.levene.p <= 1 if min(n, m) > 1 else math.isnan(found.levene.p)
    if min(n, m):
        assert found.wasserstein >= 0 and found.kl_divergence >= 0
        assert abs(found.cliffs_delta.value) <= 1
        assert not found.cliffs_delta.low > found.cliffs_delta.value
        assert not found.cliffs_delta.high < found.cliffs_delta.value


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_when_all_values_are_equal_nothing_differs(value):
    found = compare([value] * 5, [value] * 7)
    assert [result.p for result in found.results.values()] == [1.0, 1.0, 1.0]
    assert (found.wasserstein, found.kl_divergence) == (0.0, 0.0)
    assert (found.hedges_g.value, found.cliffs_delta.value) == (0.0, 0.0)
    assert math.isnan(found.hedges_g.low) and math.isnan(found.cliffs_delta.low)


def test_values_that_differ_by_rounding_are_equal():
    found = compare([0.3] * 20, [0.1 + 0.2] * 20)
    assert [result.p for result in found.results.values()] == [1.0, 1.0, 1.0]


def test_two_different_constants_differ_in_place_not_in_spread():
    found = compare([1.0] * 20, [2.0] * 20)
    assert found.kolmogorov_smirnov.p < 1e-9 and found.mann_whitney.p < 1e-6
    assert found.levene.p == 1.0 and found.wasserstein == 1.0
    assert math.isnan(found.hedges_g.value)  # There is no spread to measure by.
    assert found.cliffs_delta.value == 1.0 and 0.5 < found.cliffs_delta.low < 1.0


def test_a_constant_against_two_values_in_turn_has_the_permutation_tests_p():
    """Distances 0, 0, 0 from one median and 1, 1 from the other: one of 10 ways."""
    found = compare([1.0] * 3, [0.0, 2.0])
    assert found.levene.p == pytest.approx(0.1) and found.levene.statistic == math.inf
    assert compare([1.0] * 2, [0.0, 2.0]).levene.p == pytest.approx(2 / 6)


def test_empty_and_single_values():
    empty = compare([], [1.0, 2.0])
    assert all(math.isnan(result.p) for result in empty.results.values())
    assert math.isnan(empty.p_least) and not empty.differs(0.05)
    assert math.isnan(empty.wasserstein) and math.isnan(empty.kl_divergence)
    single = compare([1.0], [2.0, 3.0, 4.0])
    assert single.kolmogorov_smirnov.p == pytest.approx(0.5)
    assert math.isnan(single.levene.p) and math.isnan(single.hedges_g.value)
    assert single.cliffs_delta.value == 1.0 and math.isnan(single.cliffs_delta.low)


def test_infinite_values_and_other_samples_are_refused():
    with pytest.raises(ValueError, match="rate of other holds an infinite value"):
        compare([1.0], [math.inf])
    samples = population_samples(poisson_trials(3, 15.0, 1000.0, seed=1))
    with pytest.raises(ValueError, match=r"\['rate', 'CV'\]"):
        sample_tests(samples, samples[:2])
    with pytest.raises(ValueError, match="confidence is 1"):
        compare_samples(np.arange(3.0), np.arange(3.0), "rate", "Hz", confidence=1.0)


def test_silent_and_regular_runs_can_be_tested():
    silent = spike_trains([[]] * 5)
    rate, cv, *_ = population_tests(silent, silent)
    assert rate.p_least == 1.0 and cv.n_reference == 0 and math.isnan(cv.p_least)
    regular = spike_trains([np.arange(3.0, 95.0, 7.0)] * 6)
    # Other roundings of the same times, as another simulator has them.
    again = spike_trains([3.0 + np.cumsum([0.0, *[0.7] * 130])[::10]] * 6)
    assert all(test.p_least == 1.0 for test in population_tests(regular, again))


# --- levels and power ----------------------------------------------------------------------------


def p_values_of_equal_runs(n_pairs, n, seed):
    rng = np.random.default_rng(seed)
    found = [compare(*rng.gamma(2.0, 1.0, (2, n))) for _ in range(n_pairs)]
    return np.array([[result.p for result in test.results.values()] for test in found])


def test_p_values_of_equal_samples_are_uniform():
    """Levels of 5 % and 20 % are kept, to 4 standard errors; Kolmogorov-Smirnov's is discrete."""
    p = p_values_of_equal_runs(300, 40, seed=1)
    for alpha in (0.05, 0.2):
        error = 4 * math.sqrt(alpha * (1 - alpha) / len(p))
        below = (p <= alpha).mean(axis=0)
        assert np.all(below < alpha + error)
        assert np.all(below[1:] > alpha - error)


@pytest.mark.slow
def test_p_values_of_equal_samples_are_uniform_in_detail():
    p = p_values_of_equal_runs(4000, 50, seed=2)
    for column in p.T[1:]:
        assert stats.kstest(column, "uniform").pvalue > 0.001
    for alpha in (0.01, 0.05, 0.1, 0.3):
        error = 4 * math.sqrt(alpha * (1 - alpha) / len(p))
        assert np.all((p <= alpha).mean(axis=0) < alpha + error)


@pytest.mark.slow
def test_equal_runs_are_told_apart_no_more_often_than_alpha():
    """Runs of one frozen stimulus; any quantity, any test, after correction."""
    centres = np.sort(np.random.default_rng(0).uniform(20, 880, 14))
    wrong = 0
    for k in range(400):
        runs = (jittered_trials(centres, 25, seed=seed, jitter=3.0) for seed in (2 * k, 2 * k + 1))
        wrong += any(test.differs(0.05) for test in population_tests(*runs))
    assert wrong / 400 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    ("reference", "other", "quantity", "sign"),
    [
        (poisson_trials(100, 15, 1000, 1), poisson_trials(100, 20, 1000, 2), "rate", 1),
        (gamma_trials(1.0, 100, 1), gamma_trials(2.0, 100, 2), "CV", -1),
        (gamma_trials(1.0, 100, 3), gamma_trials(2.0, 100, 4), "LV", -1),
        (
            jittered_trials(np.arange(50.0, 850.0, 60.0), 100, 1, jitter=1.0),
            jittered_trials(np.arange(50.0, 850.0, 60.0), 100, 2, jitter=6.0),
            "correlation",
            -1,
        ),
    ],
)
def test_a_difference_is_found_with_its_sign(reference, other, quantity, sign):
    tests = {test.name: test for test in population_tests(reference, other)}
    found = tests[quantity]
    assert found.differs(0.001)
    for effect in (found.hedges_g, found.cliffs_delta):
        assert sign * effect.low > 0 and sign * effect.high > 0
    assert sign * (found.mean_other - found.mean_reference) > 0


def test_seeds_are_pooled_trial_by_trial():
    runs = [population_samples(poisson_trials(6, 15.0, 1000.0, seed=seed)) for seed in (1, 2)]
    together = pooled(runs)
    assert [sample.name for sample in together] == ["rate", "CV", "LV", "correlation"]
    assert [sample.values.size for sample in together] == [12, 12, 12, 6]
    np.testing.assert_array_equal(together[0].values[6:], runs[1][0].values)


def test_intervals_of_effects_cover_as_often_as_they_say():
    """Normal samples 0.5 SD apart: g is 0.5, and Cliff's delta 2 Phi(0.5 / 2^.5) - 1."""
    rng = np.random.default_rng(5)
    truth = {hedges_g: 0.5, cliffs_delta: 2 * stats.norm.cdf(0.5 / math.sqrt(2)) - 1}
    for effect, value in truth.items():
        found = [effect(rng.normal(0, 1, 30), rng.normal(0.5, 1, 30)) for _ in range(1000)]
        covered = np.mean([one.low <= value <= one.high for one in found])
        assert 0.925 < covered < 0.975
        assert np.mean([one.value for one in found]) == pytest.approx(value, abs=0.03)
