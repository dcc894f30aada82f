"""What is compared with what: the conditions and the trials of two runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from analysis.spikearrays import FloatArray, IntArray, SpikeArrays, spike_arrays


class CompareError(ValueError):
    """The two runs cannot be compared, or not as was asked for."""


@dataclass(frozen=True)
class Potentials:
    """values: (n_samples, n_columns), mV, from t_start (ms) on, a sample each period (ms).

    trials: (n_columns,), the trial of each column.
    """

    values: FloatArray
    trials: IntArray
    t_start: float
    period: float

    @property
    def times(self) -> FloatArray:
        """Time of each sample, ms, (n_samples,)."""
        return np.asarray(
            self.t_start + self.period * np.arange(len(self.values)), dtype=np.float64
        )

    def signal(self) -> neo.AnalogSignal:
        """As a Neo signal whose columns say their trial."""
        return neo.AnalogSignal(
            self.values,
            units="mV",
            sampling_period=self.period * pq.ms,
            t_start=self.t_start * pq.ms,
            array_annotations={"trial": self.trials},
        )


@dataclass(frozen=True)
class Side:
    """One condition of one run (or of several runs with different seeds, one after the other).

    name: of the segment. spikes: over the longest window of any trial. starts, ends: ms,
    (n_trials,), the window of each. runs: (n_trials,), the run that each trial belongs to.
    """

    name: str
    spikes: SpikeArrays
    starts: FloatArray
    ends: FloatArray
    runs: IntArray
    potentials: Potentials | None

    @property
    def n_trials(self) -> int:
        return self.spikes.n_trials

    def with_spikes(self, spikes: SpikeArrays) -> Side:
        """The same side with other spikes."""
        return replace(self, spikes=spikes)


@dataclass(frozen=True)
class Pair:
    """One condition on both sides, with equally many trials. name: the condition's.

    how: why these two belong together, "" where their names say it. trials: (reference, other),
    the numbers of trials that there were before the surplus ones were left out.
    """

    name: str
    reference: Side
    other: Side
    how: str
    trials: tuple[int, int]


def pair_conditions(
    reference: Sequence[neo.Block],
    other: Sequence[neo.Block],
    mapping: Mapping[str, str] | None = None,
) -> tuple[list[Pair], list[str]]:
    """The conditions that both runs have, and the names of the reference's that have no partner.

    mapping: name in the reference -> name in the other run. A segment without a name is called by
    its position, "0", "1", ... Where no name agrees and both have equally many conditions, they
    are paired by position, and each pair says so.

    Raises CompareError where nothing can be paired, or the mapping names what is not there.
    """
    ours, theirs = _sides(reference), _sides(other)
    chosen, how = _partners(list(ours), list(theirs), dict(mapping or {}))
    pairs = []
    for name, partner in chosen.items():
        left, right = ours[name], theirs[partner]
        trials = left.n_trials, right.n_trials
        common = min(trials)
        pair = Pair(name, _first(left, common), _first(right, common), how, trials)
        pairs.append(pair)
    return pairs, [name for name in ours if name not in chosen]


def _partners(
    ours: list[str], theirs: list[str], mapping: dict[str, str]
) -> tuple[dict[str, str], str]:
    for name, partner in mapping.items():
        for side, known, what in (("reference", ours, name), ("other run", theirs, partner)):
            if what not in known:
                raise CompareError(
                    f"map {name}={partner}: the {side} has no condition {what!r}; it has "
                    f"{', '.join(known)}"
                )
    taken = set(mapping.values())
    chosen = {name: mapping.get(name, name) for name in ours}
    chosen = {
        name: partner
        for name, partner in chosen.items()
        if partner in theirs and (name in mapping or partner not in taken)
    }
    if chosen:
        return chosen, ""
    if len(ours) != len(theirs):
        raise CompareError(
            f"no condition has the same name in both runs, and the reference has {len(ours)} "
            f"({', '.join(ours)}), the other run {len(theirs)} ({', '.join(theirs)}); say which "
            "belong together with a map, NAME=NAME"
        )
    how = "by position, since no condition has the same name in both runs"
    return dict(zip(ours, theirs, strict=True)), how


def _sides(blocks: Sequence[neo.Block]) -> dict[str, Side]:
    """Name of the condition -> its trials in all blocks, run after run."""
    if not blocks:
        raise CompareError("there is no block to compare")
    found: dict[str, list[Side]] = {}
    for run, block in enumerate(blocks):
        named = named_segments(block)
        if run and set(named) != set(found):
            raise CompareError(
                f"the runs of one side must have the same conditions, but one has "
                f"{', '.join(found)} and another {', '.join(named)}"
            )
        for name, segment in named.items():
            found.setdefault(name, []).append(_side(name, segment, run))
    return {name: _stacked(sides) for name, sides in found.items()}


def named_segments(block: neo.Block) -> dict[str, neo.Segment]:
    """What a comparison calls each segment that has spike trains.

    Raises CompareError for a block without any spike train.
    """
    segments = [segment for segment in block.segments if len(segment.spiketrains)]
    if not segments:
        raise CompareError(
            f"{block.name or 'the block'}: there is no spike train in it, nothing to compare"
        )
    names = [
        str(segment.annotations.get("condition") or segment.name or number)
        for number, segment in enumerate(segments)
    ]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names)]
    return dict(zip(names, segments, strict=True))


def _side(name: str, segment: neo.Segment, run: int) -> Side:
    trains = segment.spiketrains
    # A list made from arrays is one window and in the order of its trials.
    if isinstance(trains, SpikeTrainList) and getattr(trains, "_items", trains) is None:
        spikes = spike_arrays(segment)
        starts = np.full(spikes.n_trials, spikes.t_start)
        ends = np.full(spikes.n_trials, spikes.t_stop)
        numbers = np.arange(spikes.n_trials)
    else:
        numbers = _trial_numbers(list(trains))
        spikes, starts, ends = _arrays([trains[k] for k in np.argsort(numbers, kind="stable")])
        numbers = np.sort(numbers)
    runs = np.full(spikes.n_trials, run, dtype=np.int64)
    return Side(name, spikes, starts, ends, runs, _potentials(segment, numbers))


def _trial_numbers(trains: list[Any]) -> IntArray:
    """The trial of each train by its annotations; its position where they do not say."""
    for key in ("trial", "source_index"):
        numbers = [_whole(train.annotations.get(key)) for train in trains]
        known = [number for number in numbers if number is not None]
        if len(known) == len(trains) == len(set(known)):
            return np.array(known, dtype=np.int64)
    return np.arange(len(trains), dtype=np.int64)


def _whole(value: Any) -> int | None:
    """A whole number of any type, None for everything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def _arrays(trains: list[Any]) -> tuple[SpikeArrays, FloatArray, FloatArray]:
    """As `spike_arrays`, but each train keeps a window of its own: one may have been cut short."""
    each = [_one(train) for train in trains]
    times = np.concatenate([one.times for one in each])
    index = np.repeat(np.arange(len(each), dtype=np.int64), [one.times.size for one in each])
    starts = np.array([one.t_start for one in each])
    ends = np.array([one.t_stop for one in each])
    spikes = SpikeArrays(times, index, len(each), float(starts.min()), float(ends.max()))
    return spikes, starts, ends


def _one(train: Any) -> SpikeArrays:
    try:
        return spike_arrays(train)
    except ValueError as error:
        raise CompareError(str(error)) from None


def _potentials(segment: neo.Segment, numbers: IntArray) -> Potentials | None:
    """The recorded potential: the signal "v", or the first one in volts, mV or the like."""
    signals = [s for s in segment.analogsignals if s.name == "v"] or [
        s for s in segment.analogsignals if _in_volts(s)
    ]
    if not signals or len(signals[0]) == 0:
        return None
    signal = signals[0]
    values = np.asarray(signal.rescale("mV").magnitude, dtype=np.float64)
    annotated = signal.array_annotations or {}
    trials = annotated.get("trial", annotated.get("channel_index"))
    if trials is None or len(trials) != values.shape[1]:
        trials = numbers[: values.shape[1]]
    # Columns go by the trial's number; here by its place among the trains.
    place = np.searchsorted(numbers, np.asarray(trials, dtype=np.int64))
    known = (place < len(numbers)) & (numbers[np.minimum(place, len(numbers) - 1)] == trials)
    if not known.any():
        return None
    t_start = float(signal.t_start.rescale("ms").magnitude)
    period = float(signal.sampling_period.rescale("ms").magnitude)
    return Potentials(values[:, known], place[known].astype(np.int64), t_start, period)


def _in_volts(signal: Any) -> bool:
    try:
        signal.units.rescale("mV")
    except ValueError:
        return False
    return True


def _stacked(sides: list[Side]) -> Side:
    if len(sides) == 1:
        return sides[0]
    before = np.cumsum([0] + [side.n_trials for side in sides])
    spikes = SpikeArrays(
        np.concatenate([side.spikes.times for side in sides]),
        np.concatenate([s.spikes.trials + n for s, n in zip(sides, before[:-1], strict=True)]),
        int(before[-1]),
        min(side.spikes.t_start for side in sides),
        max(side.spikes.t_stop for side in sides),
    )
    return Side(
        sides[0].name,
        spikes,
        np.concatenate([side.starts for side in sides]),
        np.concatenate([side.ends for side in sides]),
        np.concatenate([side.runs for side in sides]),
        None,
    )


def _first(side: Side, n_trials: int) -> Side:
    """The side with its first trials alone."""
    if n_trials == side.n_trials:
        return side
    spikes, v = side.spikes, side.potentials
    kept = spikes.trials < n_trials
    fewer = replace(spikes, times=spikes.times[kept], trials=spikes.trials[kept], n_trials=n_trials)
    if v is not None:
        columns = v.trials < n_trials
        v = replace(v, values=v.values[:, columns], trials=v.trials[columns])
    return Side(
        side.name,
        fewer,
        side.starts[:n_trials],
        side.ends[:n_trials],
        side.runs[:n_trials],
        v,
    )
