"""Whether two runs have the same statistics: tests of distributions over trials.

For runs whose spikes cannot be matched because their noise differs: not "the same spikes" but "the
same rates, irregularity and correlations". The trials of each run must be independent given the
stimulus, as trials with private noise are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.effects import all_equal, cliffs_delta, hedges_g, kl_divergence
from analysis.resampling import Estimate
from analysis.spikearrays import FloatArray, SpikeArrays, Trials, require_positive, spike_arrays
from analysis.statistics import cv, lv, mean_firing_rates

CORRELATION_BIN = 5.0
"""Width (ms) of the bins in which spikes are counted for correlations."""

_BIN_TOLERANCE = 1e-8  # As in `analysis.statistics`: 4.9999999 ms is in the bin that begins at 5.
_DECIMALS = 9  # To which the values of trials are compared.
_EXACT_UP_TO = 1000  # Values of a sample up to which Kolmogorov-Smirnov's p is exact.


@dataclass(frozen=True)
class TestResult:
    """A statistic, its p-value, and the p-value corrected for all tests of the same set.

    NaN where the test is not defined; p_corrected is p until `holm_corrected` is asked.
    """

    __test__ = False  # pytest would take the name for a class of tests.

    statistic: float
    p: float
    p_corrected: float


@dataclass(frozen=True)
class SampleTest:
    """One quantity in two runs.

    name, unit: of the quantity. n_reference, n_other: numbers of values; trials in which the
    quantity is not defined have none. mean_*, sd_* (ddof 1): of the values; NaN without (two).
    kolmogorov_smirnov: any difference of the distributions. mann_whitney: one tends to be larger.
    levene: different spreads.
    wasserstein: how far values have to be moved on average, in the unit of the quantity.
    kl_divergence: of the reference from the other, nats, binned as `analysis.effects` says.
    hedges_g, cliffs_delta: effect sizes, positive if the other run's values are larger.
    """

    name: str
    unit: str
    n_reference: int
    n_other: int
    mean_reference: float
    mean_other: float
    sd_reference: float
    sd_other: float
    kolmogorov_smirnov: TestResult
    mann_whitney: TestResult
    levene: TestResult
    wasserstein: float
    kl_divergence: float
    hedges_g: Estimate
    cliffs_delta: Estimate

    @property
    def results(self) -> dict[str, TestResult]:
        """The three tests by their names."""
        return {
            "Kolmogorov–Smirnov": self.kolmogorov_smirnov,
            "Mann–Whitney": self.mann_whitney,
            "Levene": self.levene,
        }

    @property
    def p_least(self) -> float:
        """Least corrected p-value of the three, NaN if none is defined."""
        found = [result.p_corrected for result in self.results.values()]
        return min((p for p in found if not math.isnan(p)), default=math.nan)

    def differs(self, alpha: float) -> bool:
        """Whether any of the three tests rejects, after correction, at the level alpha."""
        return self.p_least <= alpha


@dataclass(frozen=True)
class Sample:
    """Values of a quantity, float64 (n,); NaN marks a trial in which it is not defined."""

    name: str
    unit: str
    values: FloatArray


def population_tests(
    reference: Trials, other: Trials, *, bin_size: float = CORRELATION_BIN, confidence: float = 0.95
) -> tuple[SampleTest, ...]:
    """Rate, CV, LV and correlation of two runs, the p-values corrected over all of them (Holm).

    The numbers of trials and the windows may differ. For several seeds at once, pool the
    `population_samples` of the runs and give them to `sample_tests`.
    """
    samples = (population_samples(run, bin_size=bin_size) for run in (reference, other))
    return sample_tests(*samples, confidence=confidence)


def sample_tests(
    reference: Sequence[Sample], other: Sequence[Sample], *, confidence: float = 0.95
) -> tuple[SampleTest, ...]:
    """`compare_samples` of each quantity, with p-values corrected over the whole set.

    Raises ValueError unless both hold the same quantities in the same order.
    """
    names = [[sample.name for sample in side] for side in (reference, other)]
    if names[0] != names[1]:
        raise ValueError(f"reference has the samples {names[0]} and other {names[1]}")
    return holm_corrected(
        compare_samples(a.values, b.values, a.name, a.unit, confidence)
        for a, b in zip(reference, other, strict=True)
    )


def population_samples(trials: Trials, *, bin_size: float = CORRELATION_BIN) -> tuple[Sample, ...]:
    """The quantities that `population_tests` compares: a value for each trial, or pair of trials.

    The correlations are those of disjoint pairs of trials, k with k + n/2: the n (n - 1) / 2 values
    of all pairs depend on each other, and a test of them rejects equal runs far too often.

    Values are rounded to 9 decimals: the CV of a regular train is 1e-16 or 3e-16 by the simulator's
    rounding of times, which a test of ranks would find different.
    """
    spikes = spike_arrays(trials)
    found = (
        Sample("rate", "Hz", mean_firing_rates(spikes)),
        Sample("CV", "", cv(spikes)),
        Sample("LV", "", lv(spikes)),
        Sample("correlation", "", disjoint_correlations(spikes, bin_size)),
    )
    return tuple(replace(sample, values=np.round(sample.values, _DECIMALS)) for sample in found)


def pooled(samples: Sequence[Sequence[Sample]]) -> tuple[Sample, ...]:
    """The samples of several runs of the same experiment with other seeds as one.

    Both sides of a test need the same seeds (or very many): what a seed shares among its trials,
    such as the frozen stimulus, is no difference between the runs.
    """
    return tuple(
        Sample(each[0].name, each[0].unit, np.concatenate([one.values for one in each]))
        for each in zip(*samples, strict=True)
    )


# --- correlations --------------------------------------------------------------------------------


def pairwise_correlations(trials: Trials, bin_size: float = CORRELATION_BIN) -> FloatArray:
    """Correlation of the binned spike counts of every two trials, float64 (n (n - 1) / 2,).

    Pearson's, of counts in bins of `bin_size` ms from t_start on; a last bin that is not whole is
    left out. NaN where a trial has the same count in every bin, as a silent one.
    The order is that of the upper triangle, row by row. Raises ValueError unless bin_size is above
    0 and the window holds two bins.
    """
    normed = _normed_counts(spike_arrays(trials), bin_size)
    together = np.clip(normed @ normed.T, -1.0, 1.0)
    return np.asarray(together[np.triu_indices(len(normed), 1)], dtype=np.float64)


def disjoint_correlations(trials: Trials, bin_size: float = CORRELATION_BIN) -> FloatArray:
    """As `pairwise_correlations`, of trial k with k + n // 2 only, float64 (n // 2,)."""
    normed = _normed_counts(spike_arrays(trials), bin_size)
    half = len(normed) // 2
    together = np.einsum("ij,ij->i", normed[:half], normed[half : 2 * half])
    return np.asarray(np.clip(together, -1.0, 1.0), dtype=np.float64)


def _normed_counts(spikes: SpikeArrays, bin_size: float) -> FloatArray:
    """Counts minus their mean, as unit vectors (n_trials, n_bins); NaN for a constant trial."""
    require_positive("bin_size", bin_size, "ms")
    n_bins = int(np.floor(spikes.duration / bin_size + _BIN_TOLERANCE))
    if n_bins < 2:
        raise ValueError(
            f"bin_size is {bin_size!r} ms; the window of {spikes.duration:g} ms must hold two bins"
        )
    place = (spikes.times - spikes.t_start) / bin_size
    bins = np.floor(place + _BIN_TOLERANCE).astype(np.int64)
    if abs(n_bins * bin_size - spikes.duration) <= _BIN_TOLERANCE * bin_size:
        bins = np.minimum(bins, n_bins - 1)  # The last bin holds t_stop, too.
    kept = (bins >= 0) & (bins < n_bins)
    cells = spikes.trials[kept] * n_bins + bins[kept]
    flat = np.bincount(cells, minlength=spikes.n_trials * n_bins)
    counts = flat.reshape(spikes.n_trials, n_bins)
    constant = counts.min(axis=1) == counts.max(axis=1)
    centred = counts - counts.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1))
    norm[constant] = np.nan
    return np.asarray(centred / norm[:, None], dtype=np.float64)


# --- tests ---------------------------------------------------------------------------------------


def compare_samples(
    reference: FloatArray, other: FloatArray, name: str, unit: str, confidence: float = 0.95
) -> SampleTest:
    """Everything about one quantity in two runs; two-sided tests, p-values not yet corrected.

    NaN in a sample is dropped. What cannot be told is NaN: everything when a sample is empty;
    Levene's test and Hedges' g with fewer than two values in a sample. When all values of both
    are equal, nothing differs: p = 1. Raises ValueError for an infinite value.
    """
    a, b = _defined("reference", name, reference), _defined("other", name, other)
    return SampleTest(
        name=name,
        unit=unit,
        n_reference=int(a.size),
        n_other=int(b.size),
        mean_reference=_mean(a),
        mean_other=_mean(b),
        sd_reference=_sd(a),
        sd_other=_sd(b),
        kolmogorov_smirnov=_kolmogorov_smirnov(a, b),
        mann_whitney=_mann_whitney(a, b),
        levene=_levene(a, b),
        wasserstein=_wasserstein(a, b),
        kl_divergence=kl_divergence(a, b),
        hedges_g=hedges_g(a, b, confidence),
        cliffs_delta=cliffs_delta(a, b, confidence),
    )


def holm_corrected(tests: Iterable[SampleTest]) -> tuple[SampleTest, ...]:
    """The same with p_corrected over all tests of the set that are defined.

    With the p-values in ascending order, the k-th of n is multiplied by n - k + 1 and is at least
    the one before: among equal runs, the chance of any p_corrected <= alpha is at most alpha.
    Holm (1979), Scand. J. Stat. 6:65.
    """
    tests = tuple(tests)
    results = [(test.kolmogorov_smirnov, test.mann_whitney, test.levene) for test in tests]
    p = np.array([result.p for three in results for result in three])
    corrected = np.full(p.size, np.nan)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    factors = np.arange(order.size, 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    each = iter(corrected.tolist())
    return tuple(
        replace(
            test,
            kolmogorov_smirnov=replace(test.kolmogorov_smirnov, p_corrected=next(each)),
            mann_whitney=replace(test.mann_whitney, p_corrected=next(each)),
            levene=replace(test.levene, p_corrected=next(each)),
        )
        for test in tests
    )


def _kolmogorov_smirnov(a: FloatArray, b: FloatArray) -> TestResult:
    """Exact for up to 1000 values (then conservative where values are tied), asymptotic beyond.

    Where scipy's exact sum comes out above 1 by a rounding, it warns and takes the asymptotic one,
    which is 1 there.
    """
    if min(a.size, b.size) == 0:
        return _result(math.nan, math.nan)
    if all_equal(a, b):  # But for rounding, which would be all the difference.
        return _result(0.0, 1.0)
    from scipy import stats

    exact = max(a.size, b.size) <= _EXACT_UP_TO
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        found = stats.ks_2samp(a, b, method="exact" if exact else "asymp")
    return _result(found.statistic, found.pvalue)


def _mann_whitney(a: FloatArray, b: FloatArray) -> TestResult:
    """U of the reference. Exact for small samples without ties, else normal, corrected for ties."""
    if min(a.size, b.size) == 0:
        return _result(math.nan, math.nan)
    if all_equal(a, b):
        return _result(0.5 * a.size * b.size, 1.0)
    from scipy import stats

    found = stats.mannwhitneyu(a, b, alternative="two-sided", method="auto")
    return _result(found.statistic, found.pvalue)


def _levene(a: FloatArray, b: FloatArray) -> TestResult:
    """Of the distances from the median (Brown & Forsythe), which does not presume normal values.

    When the distances vary in neither sample, F is 0 / 0 or infinite. Equal distances differ in
    nothing: p = 1. Otherwise p is that of the permutation test: of all ways to deal the distances
    to the samples, only this one (or its mirror image, for samples of equal size) separates them.
    """
    if min(a.size, b.size) < 2:
        return _result(math.nan, math.nan)
    distances = [np.abs(one - np.median(one)) for one in (a, b)]
    if all(all_equal(one) for one in distances):
        if all_equal(*distances):
            return _result(0.0, 1.0)
        ways = math.comb(a.size + b.size, a.size)
        return _result(math.inf, (2 if a.size == b.size else 1) / ways)
    from scipy import stats

    found = stats.levene(a, b, center="median")
    return _result(found.statistic, found.pvalue)


def _wasserstein(a: FloatArray, b: FloatArray) -> float:
    if min(a.size, b.size) == 0:
        return math.nan
    from scipy import stats

    return float(stats.wasserstein_distance(a, b))


def _result(statistic: float, p: float) -> TestResult:
    # An exact sum of many probabilities may exceed 1 by a rounding.
    p = float(p) if math.isnan(p) else min(1.0, max(0.0, float(p)))
    return TestResult(float(statistic), p, p)


def _defined(side: str, name: str, values: FloatArray) -> FloatArray:
    values = np.asarray(values, dtype=np.float64).ravel()
    if np.isinf(values).any():
        raise ValueError(f"{name} of {side} holds an infinite value; values must be finite or NaN")
    return np.asarray(values[~np.isnan(values)], dtype=np.float64)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else math.nan


def _sd(values: FloatArray) -> float:
    return float(values.std(ddof=1)) if values.size >= 2 else math.nan
