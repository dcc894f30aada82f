"""Tasks of :mod:`scripts.bench_tasks`: measures that compare spike trains, and libraries' times.

The trains are Poisson trains of 1 s: of the measures none depends on more than spikes and rate.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .bench_report import Seconds

COST, TAU, SIGMA, WINDOW = 0.5, 10.0, 2.0, 2.0
"""1/ms and ms, of Victor-Purpura, van Rossum, Schreiber and the coincidences."""

DURATION = 1000.0
SAMPLING = 1.0
"""ms, of the trials and of their potentials."""

FIRST_CALL = "first call"
VICTOR_PURPURA = "Victor–Purpura, all pairs"
VICTOR_PURPURA_FEWER = "Victor–Purpura, fewer trials"
OURS_FEWER = "ours of fewer trials"

SAME = 1e-9
"""Largest difference between our values and a library's."""

Measures = dict[str, Callable[[], object]]


def measures(cache: str, n_trials: str, rate: str) -> Seconds:
    """Each measure on `n_trials` trials of 1 s: all pairs, or each with that of a second run.

    cache: where numba keeps what it compiles, "" for its usual place. FIRST_CALL is the time of
    calling every measure once on two trials, which makes or loads the compiled code and imports
    numba, SciPy and Neo.
    """
    if cache:
        os.environ["NUMBA_CACHE_DIR"] = cache
    seconds: Seconds = {}
    begun = time.perf_counter()
    for measure in _measures(2, 15.0).values():
        measure()
    seconds[FIRST_CALL] = time.perf_counter() - begun
    for name, measure in _measures(int(n_trials), float(rate)).items():
        begun = time.perf_counter()
        measure()
        seconds[name] = time.perf_counter() - begun
    return seconds


def _measures(n_trials: int, rate: float) -> Measures:
    from analysis import distances, matching, populations, potentials

    one, two = _trains(n_trials, rate, 1), _trains(n_trials, rate, 2)
    v = [_potentials(n_trials, seed) for seed in (1, 2)]
    pairwise: dict[str, Callable[[], object]] = {
        "Γ": lambda: distances.coincidence_factor(one, two, WINDOW),
        "Victor–Purpura": lambda: distances.victor_purpura(one, two, COST),
        "van Rossum": lambda: distances.van_rossum(one, two, TAU),
        "ISI": lambda: distances.isi_distance(one, two),
        "SPIKE": lambda: distances.spike_distance(one, two),
        "synchronization": lambda: distances.spike_synchronization(one, two),
        "Schreiber": lambda: distances.schreiber(one, two, SIGMA),
    }
    return {
        VICTOR_PURPURA: lambda: distances.victor_purpura_matrix(one, COST),
        "van Rossum, all pairs": lambda: distances.van_rossum_matrix(one, TAU),
        "ISI-distance, all pairs": lambda: distances.isi_distance_matrix(one),
        "SPIKE-distance, all pairs": lambda: distances.spike_distance_matrix(one),
        "SPIKE-synchronization, all pairs": lambda: distances.spike_synchronization_matrix(one),
        "Schreiber, all pairs": lambda: distances.schreiber_matrix(one, SIGMA),
        "correlations of counts, all pairs": lambda: populations.pairwise_correlations(one),
        "spikes matched": lambda: matching.match_spikes(one, two, WINDOW),
        "Γ and the six, trial by trial": lambda: [measure() for measure in pairwise.values()],
        "tests of distributions": lambda: populations.population_tests(one, two),
        "potentials": lambda: potentials.potential_difference(*v, one, two),
    }


def libraries(n_trials: str, n_victor_purpura: str) -> Seconds:
    """Elephant's and PySpike's times for all pairs, and ours of fewer trials beside Elephant's.

    Victor-Purpura is measured on fewer trials, `n_victor_purpura`: 1000 take Elephant 8 minutes.
    Raises SystemExit when their values are not ours, to 1e-9.
    """
    from analysis import distances

    few, many = (_trains(int(n), 15.0, 1) for n in (n_victor_purpura, n_trials))
    distances.victor_purpura_matrix(_trains(2, 15.0, 1), COST)  # Compiles.
    theirs = _libraries(few, many)
    ours = {
        VICTOR_PURPURA_FEWER: lambda: distances.victor_purpura_matrix(few, COST),
        "van Rossum, all pairs": lambda: distances.van_rossum_matrix(many, TAU),
        "ISI-distance, all pairs": lambda: distances.isi_distance_matrix(many),
        "SPIKE-distance, all pairs": lambda: distances.spike_distance_matrix(many),
        "SPIKE-synchronization, all pairs": lambda: distances.spike_synchronization_matrix(many),
    }
    seconds: Seconds = {}
    for name, library in theirs.items():
        begun = time.perf_counter()
        expected = library()
        seconds[name] = time.perf_counter() - begun
        begun = time.perf_counter()
        found = ours[name]()
        if name == VICTOR_PURPURA_FEWER:
            seconds[OURS_FEWER] = time.perf_counter() - begun
        # PySpike leaves the diagonal at 0, the similarity's as well.
        apart = np.abs(found - expected)[~np.eye(len(found), dtype=bool)].max()
        if apart > SAME:
            raise SystemExit(f"the comparison is void: {name} differs by {apart:g} from ours")
    return seconds


def _libraries(few: Any, many: Any) -> dict[str, Callable[[], Any]]:
    import neo
    import pyspike
    import quantities as pq
    from elephant import spike_train_dissimilarity as elephant

    def neo_trains(spikes: Any) -> list[Any]:
        return [neo.SpikeTrain(t, units="ms", t_stop=DURATION) for t in _split(spikes)]

    def van_rossum() -> Any:
        with warnings.catch_warnings():  # Its sums cancel for identical trains.
            warnings.simplefilter("ignore", RuntimeWarning)
            return elephant.van_rossum_distance(many_trains, TAU * pq.ms)

    few_trains, many_trains = neo_trains(few), neo_trains(many)
    spiky = [pyspike.SpikeTrain(t, (0.0, DURATION)) for t in _split(many)]
    return {
        VICTOR_PURPURA_FEWER: lambda: elephant.victor_purpura_distance(few_trains, COST / pq.ms),
        "van Rossum, all pairs": van_rossum,
        "ISI-distance, all pairs": lambda: pyspike.isi_distance_matrix(spiky),
        "SPIKE-distance, all pairs": lambda: pyspike.spike_distance_matrix(spiky),
        "SPIKE-synchronization, all pairs": lambda: pyspike.spike_sync_matrix(spiky),
    }


def _trains(n_trials: int, rate: float, seed: int) -> Any:
    from analysis.spikearrays import SpikeArrays

    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate * DURATION / 1000.0, n_trials)
    trials = np.repeat(np.arange(n_trials), counts)
    times = rng.uniform(0.0, DURATION, trials.size)
    order = np.lexsort((times, trials))
    return SpikeArrays(times[order], trials[order], n_trials, 0.0, DURATION)


def _split(spikes: Any) -> list[Any]:
    return np.split(spikes.times, np.cumsum(spikes.counts)[:-1])


def _potentials(n_trials: int, seed: int) -> Any:
    import neo
    import quantities as pq

    values = np.random.default_rng(seed).normal(-65.0, 3.0, (int(DURATION / SAMPLING), n_trials))
    return neo.AnalogSignal(
        values,
        units="mV",
        sampling_period=SAMPLING * pq.ms,
        array_annotations={"trial": np.arange(n_trials)},
    )
