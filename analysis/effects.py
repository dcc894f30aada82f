"""How large a difference between two samples is, with confidence intervals."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from analysis.resampling import Estimate
from analysis.spikearrays import FloatArray

ROUNDING = 1e-12
"""Values whose relative differences do not exceed this are equal."""

NOT_DEFINED = Estimate(math.nan, math.nan, math.nan)


def all_equal(*samples: FloatArray) -> bool:
    """Whether all values of some samples are one value, but for rounding."""
    low = min(float(one.min()) for one in samples)
    high = max(float(one.max()) for one in samples)
    return high - low <= ROUNDING * max(abs(low), abs(high))


def hedges_g(reference: FloatArray, other: FloatArray, confidence: float = 0.95) -> Estimate:
    """Difference of the means, other - reference, in pooled SDs, corrected for small samples.

    The correction is the exact one, gamma(f / 2) / (gamma((f - 1) / 2) (f / 2)^.5) with f degrees
    of freedom; the interval is that of the normal approximation to the distribution of g.

    0 without an interval where all values of both are equal; NaN where values differ between the
    samples only, so that there is no spread to measure by, and for fewer than two values in either.
    Hedges & Olkin, Statistical Methods for Meta-Analysis (1985), chapter 5.
    """
    n, m = reference.size, other.size
    if min(n, m) < 2:
        return NOT_DEFINED
    freedom = n + m - 2
    if all_equal(reference) and all_equal(other):
        same = all_equal(reference, other)
        return Estimate(0.0, math.nan, math.nan) if same else NOT_DEFINED
    squares = (n - 1) * reference.var(ddof=1) + (m - 1) * other.var(ddof=1)
    log_factor = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)
    factor = math.exp(log_factor - 0.5 * math.log(freedom / 2))
    g = factor * float(other.mean() - reference.mean()) / math.sqrt(squares / freedom)
    z = _quantile(confidence)
    reach = z * math.sqrt((n + m) / (n * m) + g * g / (2 * (n + m)))
    return Estimate(g, g - reach, g + reach)


def cliffs_delta(reference: FloatArray, other: FloatArray, confidence: float = 0.95) -> Estimate:
    """P(other > reference) - P(other < reference) of a value drawn from each, -1 .. 1.

    The interval is the asymmetric one, which stays within -1 .. 1; for +-1, where no pair overlaps
    and the variance vanishes, it is that of a proportion of 1 among as many values as the smaller
    sample has. 0 without an interval where all values of both are equal; NaN for an empty sample;
    no interval for a single value. Cliff (1993), Psychol. Bull. 114:494; Feng & Cliff (2004), J.
    Mod. Appl. Stat. Methods 3:322.
    """
    n, m = reference.size, other.size
    if min(n, m) == 0:
        return NOT_DEFINED
    of_other, ties = _dominance(other, reference)
    of_reference = -_dominance(reference, other)[0]
    delta = float(of_other.mean())
    if min(n, m) < 2 or ties == n * m:
        return Estimate(delta, math.nan, math.nan)
    z = _quantile(confidence)
    if abs(delta) == 1.0:
        smaller = min(n, m)
        bound = (smaller - z * z) / (smaller + z * z)
        return Estimate(delta, *((bound, 1.0) if delta > 0 else (-1.0, -bound)))
    spread = (
        n**2 * np.sum((of_other - delta) ** 2)
        + m**2 * np.sum((of_reference - delta) ** 2)
        - (n * m - ties - n * m * delta**2)
    ) / (n * m * (n - 1) * (m - 1))
    # The estimate can be negative; the least possible variance takes its place then.
    variance = max(float(spread), (1 - delta**2) / (n * m - 1))
    root = z * math.sqrt(variance) * math.sqrt((1 - delta**2) ** 2 + z * z * variance)
    scale = 1 - delta**2 + z * z * variance
    middle = delta - delta**3
    return Estimate(delta, max(-1.0, (middle - root) / scale), min(1.0, (middle + root) / scale))


def kl_divergence(reference: FloatArray, other: FloatArray) -> float:
    """Kullback-Leibler divergence of the reference's distribution from the other's, nats.

    Sum of p ln(p / q), with p of the reference and q of the other run: histograms with
    ceil(2 n^(1/3)) bins of equal width (Rice's rule, n the smaller sample) from the least to the
    largest value of both, and half a count added to each bin, without which a bin that is empty in
    one of them would make it infinite. 0 where all values are equal, NaN for an empty sample.
    Kullback & Leibler (1951), Ann. Math. Stat. 22:79; half a count: Krichevsky & Trofimov (1981),
    IEEE Trans. Inf. Theory 27:199.
    """
    if min(reference.size, other.size) == 0:
        return math.nan
    low = float(min(reference.min(), other.min()))
    high = float(max(reference.max(), other.max()))
    n_bins = math.ceil(2 * min(reference.size, other.size) ** (1 / 3) - 1e-9)
    if all_equal(reference, other):
        return 0.0
    p, q = (_shares(values, low, high, n_bins) for values in (reference, other))
    return float(np.sum(p * np.log(p / q)))


def _shares(values: FloatArray, low: float, high: float, n_bins: int) -> FloatArray:
    place = ((values - low) / (high - low) * n_bins).astype(np.int64)
    counts = np.bincount(np.minimum(place, n_bins - 1), minlength=n_bins) + 0.5
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _dominance(values: FloatArray, others: FloatArray) -> tuple[FloatArray, int]:
    """For each value: share of the others below it minus share above; and the number of ties."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return (below - (others.size - up_to)) / others.size, int((up_to - below).sum())


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it must lie between 0 and 1")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
