"""Some trials of a block, in another order: for runs whose trials do not correspond as they are."""

from __future__ import annotations

from collections.abc import Sequence

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from analysis.spikearrays import SpikeArrays, spike_arrays


class TrialsError(ValueError):
    """The block does not have these trials."""


def select_trials(block: neo.Block, wanted: Sequence[int]) -> neo.Block:
    """A block with the trials `wanted` (from 0, in this order) of every segment as its trials.

    Potentials and private currents go along, the columns named by the trials' new numbers; what
    all trials share stays. The block itself stays as it was.

    Raises TrialsError for a trial that a segment does not have, or that is wanted twice; ValueError
    for a segment without trains or with trains of different windows.
    """
    if len(set(wanted)) < len(wanted):
        twice = next(trial for trial in wanted if list(wanted).count(trial) > 1)
        raise TrialsError(f"trial {twice + 1} is wanted twice")
    chosen = neo.Block(name=block.name, file_origin=block.file_origin, **block.annotations)
    for segment in block.segments:
        chosen.segments.append(_segment(segment, list(wanted)))
    if "trials" in chosen.annotations:
        chosen.annotate(trials=len(wanted))
    return chosen


def _segment(segment: neo.Segment, wanted: list[int]) -> neo.Segment:
    spikes = spike_arrays(segment)
    if not wanted or max(wanted) >= spikes.n_trials:
        name = segment.name or "the segment"
        raise TrialsError(
            f"{name} has trials 1 to {spikes.n_trials}, not {max(wanted, default=-1) + 1}"
        )
    chosen = neo.Segment(name=segment.name, **segment.annotations)
    chosen.spiketrains = _trains(spikes, wanted)
    for signal in segment.analogsignals:
        chosen.analogsignals.append(_signal(signal, wanted))
    return chosen


def _trains(spikes: SpikeArrays, wanted: list[int]) -> SpikeTrainList:
    place = np.full(spikes.n_trials, -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    trials = place[spikes.trials]
    kept = trials >= 0
    order = np.lexsort((spikes.times[kept], trials[kept]))
    numbers = list(range(len(wanted)))
    return SpikeTrainList.from_spike_time_array(
        spikes.times[kept][order],
        trials[kept][order],
        all_channel_ids=numbers,
        units="ms",
        t_start=spikes.t_start * pq.ms,
        t_stop=spikes.t_stop * pq.ms,
        trial=numbers,
    )


def _signal(signal: neo.AnalogSignal, wanted: list[int]) -> neo.AnalogSignal:
    """A signal with a column for each trial has the wanted columns, as far as there are any."""
    columns = signal.array_annotations.get("trial")
    if columns is None:
        return signal
    found = {int(trial): column for column, trial in enumerate(columns)}
    places = [found[trial] for trial in wanted if trial in found]
    numbers = [new for new, trial in enumerate(wanted) if trial in found]
    return neo.AnalogSignal(
        signal.magnitude[:, places],
        units=signal.units,
        sampling_period=signal.sampling_period,
        t_start=signal.t_start,
        name=signal.name,
        array_annotations={"trial": np.array(numbers, dtype=np.int64)},
    )
