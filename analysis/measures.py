"""The numbers that go with a comparison: spike-train distances and potentials, run against run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis import distances, potentials
from analysis.matching import Matching
from analysis.pairing import Pair
from analysis.pairs import in_common_window
from analysis.spikearrays import FloatArray, SpikeArrays


@dataclass(frozen=True)
class PotentialDifference:
    """Recorded potentials, other - reference, where both runs have a sample.

    max: largest absolute difference, mV, at `time` (ms) in `trial`. rms: over all samples, mV.
    rms_between: over those away from the spikes of both runs, mV (nan if there is none): what is
    left when a spike that is late does not count. n_samples: compared.
    """

    max: float
    rms: float
    rms_between: float
    n_samples: int
    trial: int
    time: float


def potential_difference(pair: Pair, margin: float = 2.0) -> PotentialDifference | None:
    """The difference of the recorded potentials; None without common trials and times.

    margin: ms around the spikes that `rms_between_spikes` leaves out.
    """
    left, right = pair.reference.potentials, pair.other.potentials
    if left is None or right is None or not np.intersect1d(left.trials, right.trials).size:
        return None
    try:
        found = potentials.potential_difference(
            left.signal(), right.signal(), pair.reference.spikes, pair.other.spikes, margin
        )
    except ValueError:  # no common sampling time, or a potential that is not a number
        return None
    return PotentialDifference(
        found.max_abs, found.rms, found.rms_between_spikes, found.n_samples, *found.worst
    )


def measure(pair: Pair, matching: Matching) -> dict[str, float]:
    """Every measure of how far the spikes are apart, as the mean over the trials.

    Distances: 0 for equal trains. coincidence_factor, spike_synchronization, schreiber and
    matched_fraction: 1 for equal trains. Time scales are the functions' defaults (2 ms and the
    like); victor_purpura has a cost of 1 per ms, van_rossum a tau of 10 ms. Where the recordings
    cover different times the distances are those of the time they have in common, nan if none.
    """
    offsets = np.abs(matching.offsets)
    found = {
        "matched_fraction": float(matching.fraction_matched),
        "median_offset": float(np.median(matching.offsets)) if offsets.size else float("nan"),
        "max_offset": float(offsets.max()) if offsets.size else float("nan"),
    }
    try:
        reference, other = in_common_window(pair.reference.spikes, pair.other.spikes)
    except ValueError:  # they have no time in common
        return {**found, **dict.fromkeys(DISTANCES, float("nan"))}
    return {**found, **{name: _mean(of(reference, other)) for name, of in DISTANCES.items()}}


DISTANCES: dict[str, Callable[[SpikeArrays, SpikeArrays], FloatArray]] = {
    "coincidence_factor": distances.coincidence_factor,
    "victor_purpura": lambda a, b: distances.victor_purpura(a, b, 1.0),
    "van_rossum": lambda a, b: distances.van_rossum(a, b, 10.0),
    "isi_distance": distances.isi_distance,
    "spike_distance": distances.spike_distance,
    "spike_synchronization": distances.spike_synchronization,
    "schreiber": lambda a, b: distances.schreiber(a, b, 2.0),
}
"""Name -> measure of each trial of one run against the same trial of another."""


def _mean(values: FloatArray) -> float:
    """Mean over the trials where the measure is defined; nan where it is in none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
