"""How far two runs' spike trains are apart: trial k against trial k, or all trials of one run.

Every measure comes as `measure(a, b, ...)`, float64 (n_trials,), trial k of a with trial k of b,
and as `measure_matrix(trials, ...)`, float64 (n_trials, n_trials), symmetric, of one run with
itself. Times and time constants are in ms. The Schreiber mean over all pairs of one run, and its
confidence interval, are in `analysis.similarity`.

                          identical  one silent  both silent  time scale
    coincidence_factor    1          0           NaN          window
    victor_purpura        0          spikes      0            cost
    van_rossum            0          > 0         0            tau
    isi_distance          0          0..1        0            none
    spike_distance        0          0..1        0            none
    spike_synchronization 1          0           1            none
    schreiber             1          0           NaN          sigma

Where Elephant 1.2.1 and PySpike 0.9.0 are right, these are equal to them to 1e-9. A repeated spike
time counts as two spikes that are infinitely close, so every measure is a continuous function of
the spike times there. A train that is observed in a window is observed at both its ends.

All raise ValueError when the numbers of trials differ or a parameter is impossible;
those that depend on the window of observation (all but the metrics and Schreiber's) also when
the windows differ: `analysis.pairs.in_common_window` cuts both to the common one.
"""

from __future__ import annotations

import numpy as np

from analysis.matching import match_spikes
from analysis.pairs import all_pairs, by_trial, paired, paired_in_window
from analysis.spikearrays import FloatArray, Trials, require_positive, spike_arrays


def coincidence_factor(reference: Trials, other: Trials, window: float = 2.0) -> FloatArray:
    """Coincidence factor Gamma of each trial: 1 for equal trains, 0 for as many by chance.

    Gamma = (n_coinc - 2 r w n_ref) / (0.5 (n_ref + n_other) (1 - 2 r w)), with r the rate of the
    other train over its window of observation and w = `window`. 2 r w n_ref is the number of
    coincidences that a Poisson train of that rate would have; the factor 1 - 2 r w makes equal
    trains give 1. A coincidence is a pair of `match_spikes` (one-to-one, at most w apart).
    As the rate is that of the other train, exchanging the two changes the value slightly unless
    they have equally many spikes. Negative when there are fewer coincidences than by chance.

    NaN when neither train has a spike (nothing could coincide), or when 2 r w >= 1: the windows
    cover all of the time and chance explains everything. 0 when one of them is silent.
    Kistler, Gerstner & van Hemmen (1997), Neural Comput. 9:1015; Jolivet et al. (2008), J.
    Neurosci. Methods 169:417.
    """
    require_positive("window", window, "ms")
    a, b = paired_in_window(reference, other)
    matching = match_spikes(a, b, window)
    pairs = np.bincount(matching.trials, minlength=a.n_trials)
    covered = 2.0 * window * b.counts / b.duration
    scale = 0.5 * (a.counts + b.counts) * (1.0 - covered)
    defined = scale > 0
    return np.where(defined, (pairs - covered * a.counts) / np.where(defined, scale, 1.0), np.nan)


def victor_purpura(a: Trials, b: Trials, cost: float) -> FloatArray:
    """Victor-Purpura distance: the cheapest way to make one train of the other.

    Inserting or deleting a spike costs 1, moving it costs `cost` (1/ms) times the distance, so that
    spikes up to 2 / cost ms apart are moved. cost 0 compares the numbers of spikes. A metric.
    Raises ValueError unless cost is a finite number, 0 or above.
    Victor & Purpura (1996), J. Neurophysiol. 76:1310.
    """
    _require_cost(cost)
    from analysis.kernels import metrics

    return by_trial(metrics.victor_purpura, *paired(a, b), cost)


def victor_purpura_matrix(trials: Trials, cost: float) -> FloatArray:
    """`victor_purpura` of every two trials."""
    _require_cost(cost)
    from analysis.kernels import metrics

    return all_pairs(metrics.victor_purpura, spike_arrays(trials), cost)


def van_rossum(a: Trials, b: Trials, tau: float) -> FloatArray:
    """van Rossum distance: of the trains after a causal exponential filter of `tau` ms.

    The square root of 2 / tau times the integral of the squared difference: 1 for one spike
    against none, as in Elephant; divide by 2^.5 for the paper's. A metric. Integrated from spike to
    spike, hence exactly 0 for identical trains and exact for nearly identical ones, where the usual
    sum over pairs of spikes cancels (and Elephant's square root of it warns or was NaN).
    Raises ValueError unless tau is above 0. van Rossum (2001), Neural Comput. 13:751.
    """
    require_positive("tau", tau, "ms")
    from analysis.kernels import metrics

    return by_trial(metrics.van_rossum, *paired(a, b), tau)


def van_rossum_matrix(trials: Trials, tau: float) -> FloatArray:
    """`van_rossum` of every two trials."""
    require_positive("tau", tau, "ms")
    from analysis.kernels import metrics

    return all_pairs(metrics.van_rossum, spike_arrays(trials), tau)


def schreiber(a: Trials, b: Trials, sigma: float) -> FloatArray:
    """Schreiber's correlation of the trains smoothed by a Gaussian of width `sigma` ms, 0 .. 1.

    The cosine of the angle between them, of the closed form of the integrals (no grid). 0 when one
    of the two is silent. NaN when both are: two zero vectors have no angle, and two silent runs are
    neither like nor unlike. (`analysis.similarity.schreiber_correlation` asks how reproducible the
    trials of one run are, and counts such a pair as 0, since silence is no reproducible spike.)
    Raises ValueError unless sigma is above 0.
    Schreiber, Fellous, Whitmer, Tiesinga & Sejnowski (2003), Neurocomputing 52-54:925.
    """
    require_positive("sigma", sigma, "ms")
    from analysis.kernels import metrics

    return by_trial(metrics.schreiber, *paired(a, b), sigma)


def schreiber_matrix(trials: Trials, sigma: float) -> FloatArray:
    """`schreiber` of every two trials; NaN for two silent ones, the diagonal included."""
    require_positive("sigma", sigma, "ms")
    from analysis.kernels import metrics

    return all_pairs(metrics.schreiber, spike_arrays(trials), sigma)


def isi_distance(a: Trials, b: Trials) -> FloatArray:
    """ISI-distance: time average of |x - y| / max(x, y), x and y the current intervals, 0 .. 1.

    Before the first and after the last spike the interval is the longer one of its neighbour and
    of the time to the window's edge (the edge correction); that of a silent train is the window.
    Kreuz, Haas, Morelli, Abarbanel & Politi (2007), J. Neurosci. Methods 165:151, with the edge
    correction of Mulansky, Bozanic, Sburlea & Kreuz (2015), EBCCSP, IEEE.
    """
    from analysis.kernels import profiles

    first, second = paired_in_window(a, b)
    return by_trial(profiles.isi_distance, first, second, first.t_start, first.t_stop)


def isi_distance_matrix(trials: Trials) -> FloatArray:
    """`isi_distance` of every two trials."""
    from analysis.kernels import profiles

    spikes = spike_arrays(trials)
    return all_pairs(profiles.isi_distance, spikes, spikes.t_start, spikes.t_stop)


def spike_distance(a: Trials, b: Trials) -> FloatArray:
    """SPIKE-distance: time average of S(t), 0 .. 1.

    S = (S_a y + S_b x) / (2 m^2), x and y the current intervals and m their mean; S_a is the
    distance to the nearest spike of b of the spikes of a before and after t, weighted by how near
    in time they are. Edges as in `isi_distance`: outermost distances hold up to the window's edge,
    and auxiliary spikes lie there or one interval beyond the last one, whichever is further out.

    An interval of 0 (a repeated spike) lasts for no time and adds nothing; PySpike 0.9.0 divides by
    it and may return more than 1 or NaN. A lone spike at an edge of the window is treated as one
    just inside, where PySpike 0.9.0 makes an exception (t_start) or returns NaN (t_stop, both).
    Kreuz, Chicharro, Houghton, Andrzejak & Mormann (2013), J. Neurophysiol. 109:1457; edges:
    Mulansky, Bozanic, Sburlea & Kreuz (2015), EBCCSP, IEEE.
    """
    from analysis.kernels import profiles

    first, second = paired_in_window(a, b)
    return by_trial(profiles.spike_distance, first, second, first.t_start, first.t_stop)


def spike_distance_matrix(trials: Trials) -> FloatArray:
    """`spike_distance` of every two trials."""
    from analysis.kernels import profiles

    spikes = spike_arrays(trials)
    return all_pairs(profiles.spike_distance, spikes, spikes.t_start, spikes.t_stop)


def spike_synchronization(a: Trials, b: Trials) -> FloatArray:
    """SPIKE-synchronization: share of the spikes of both trains that coincide, 0 .. 1.

    Two spikes coincide when they are less than half as far apart as the shortest of the (up to
    four) intervals beside them, or than half the window if there is none; such a pair excludes
    every other. Spikes at equal times coincide, one with one, repeated ones included (their
    interval of 0 would let none). 1 when both trains are silent: no spike lacks its partner.
    Kreuz, Mulansky & Bozanic (2015), J. Neurophysiol. 113:3432.
    """
    from analysis.kernels import profiles

    first, second = paired_in_window(a, b)
    return by_trial(profiles.spike_synchronization, first, second, first.t_start, first.t_stop)


def spike_synchronization_matrix(trials: Trials) -> FloatArray:
    """`spike_synchronization` of every two trials."""
    from analysis.kernels import profiles

    spikes = spike_arrays(trials)
    return all_pairs(profiles.spike_synchronization, spikes, spikes.t_start, spikes.t_stop)


def _require_cost(cost: float) -> None:
    if not (np.isfinite(cost) and cost >= 0):
        raise ValueError(f"cost is {cost!r} 1/ms; it must be a finite number, 0 or above")
