"""The recorder: what the engine returned, as Neo data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList
from pyNN import recording

from .network import Floats, Integers, Output, Sampled, Unsupported

SPIKES = recording.Variable("spikes", None, None)


@dataclass(frozen=True)
class Kept:
    """What was recorded from `start` to `stop` (ms); samples: as of :meth:`Recorder.samples`."""

    number: int
    start: float
    stop: float
    times: Floats
    index: Integers
    cells: Integers
    samples: dict[str, tuple[int, Integers, Floats]]
    interval: float
    annotations: dict[str, Any]


class Recorder(recording.Recorder):  # type: ignore[misc]
    """Keeps, for one population, the spikes and samples since the last reset() or clear."""

    _simulator: Any

    def __init__(self, population: Any, file: Any = None) -> None:
        super().__init__(population, file)
        self._recording_start_time: pq.Quantity
        self._past: list[Kept] = []
        self._reset()

    def _reset(self) -> None:
        self._spikes: list[tuple[Floats, Integers]] = []
        self._samples: dict[str, list[tuple[int, Integers, Floats]]] = defaultdict(list)

    def _record(self, variable: Any, new_ids: Any, sampling_interval: float | None = None) -> None:
        if sampling_interval is not None and variable != SPIKES:
            steps = self._simulator.state.steps(sampling_interval, "sampling_interval")
            if steps < 1:
                raise Unsupported(f"sampling_interval = {sampling_interval:g} ms must be positive")
            self.sampling_interval = sampling_interval

    def sampled(self) -> dict[str, Sampled]:
        """What the engine has to sample: variable -> cells and interval."""
        every = self._simulator.state.steps(self.sampling_interval, "sampling_interval")
        return {
            variable.name: Sampled(self._indices(ids), every)
            for variable, ids in self.recorded.items()
            if variable != SPIKES and ids
        }

    def _indices(self, ids: Any) -> Integers:
        first = int(self.population.first_id)
        return np.sort(np.fromiter((int(i) - first for i in ids), np.int64, len(ids)))

    def take(self, first: int, last: int, output: Output) -> None:
        """Keep what happened between two steps."""
        if self.recorded[SPIKES]:
            times, index = output.spike_times, output.spike_indices
            if len(self.recorded[SPIKES]) < self.population.size:
                keep = np.isin(index, self._indices(self.recorded[SPIKES]))
                times, index = times[keep], index[keep]
            self._spikes.append((times, index))
        for name, wanted in self.sampled().items():
            begin = 0 if first == 0 else (first // wanted.every + 1) * wanted.every
            self._samples[name].append((begin, wanted.indices, output.samples[name]))

    def spikes(self) -> tuple[Floats, Integers]:
        """(times in ms, indices), sorted by index, then time."""
        times = np.concatenate([np.empty(0), *(t for t, _ in self._spikes)])
        index = np.concatenate([np.empty(0, np.int64), *(i for _, i in self._spikes)])
        order = np.lexsort((times, index))
        return times[order], index[order]

    def samples(self, name: str) -> tuple[int, Integers, Floats]:
        """(first step, cells, (samples, cells)): NaN where a cell was not yet recorded."""
        parts = [part for part in self._samples[name] if len(part[2])]
        if not parts:
            return 0, np.empty(0, np.int64), np.empty((0, 0))
        cells = np.unique(np.concatenate([cells for _, cells, _ in parts]))
        if all(len(of_it) == len(cells) for _, of_it, _ in parts):
            return parts[0][0], cells, np.concatenate([values for _, _, values in parts])
        whole = np.full((sum(len(values) for _, _, values in parts), len(cells)), np.nan)
        row = 0
        for _, of_it, values in parts:
            whole[row : row + len(values), np.searchsorted(cells, of_it)] = values
            row += len(values)
        return parts[0][0], cells, whole

    # --- for PyNN's get_data()

    def get(
        self,
        variables: Any,
        gather: bool = False,
        filter_ids: Any = None,
        clear: bool = False,
        annotations: Any = None,
        locations: Any = None,
    ) -> neo.Block:
        """What was recorded, as a Neo block: a segment for each reset(), and one for now."""
        if locations is not None:
            raise Unsupported("get_data: locations: these cells are points")
        names = self._named(variables)
        cells = None if filter_ids is None else self._indices(filter_ids)
        block = neo.Block(
            name=self.population.label,
            description=self.population.describe(),
            rec_datetime=datetime.now(),
        )
        parts = [*self._past, self._kept({})] if self._simulator.state.running else self._past
        for part in parts:
            segment = self._segment(part, names, cells)
            segment.block = block
            block.segments.append(segment)
        block.annotate(**self.metadata, **(annotations or {}))
        if clear:
            self.clear()
        return block

    def _named(self, variables: Any) -> list[str]:
        recorded = [variable.name for variable, ids in self.recorded.items() if ids]
        if isinstance(variables, str):
            variables = recorded if variables == "all" else [variables]
        missing = [name for name in variables if name not in recorded]
        if missing:
            raise Unsupported(
                f"{self.population.label}: {', '.join(missing)} was not recorded; recorded: "
                + (", ".join(recorded) or "nothing")
            )
        return list(variables)

    def _kept(self, annotations: dict[str, Any]) -> Kept:
        state = self._simulator.state
        begin = float(self._recording_start_time.rescale("ms").magnitude)
        times, index = self.spikes()
        return Kept(
            number=state.segment_counter,
            start=begin,
            stop=state.t,
            times=times,
            index=index,
            cells=self._indices(self.recorded[SPIKES]),
            samples={name: self.samples(name) for name in self._samples},
            interval=self.sampling_interval,
            annotations=dict(annotations),
        )

    def _segment(self, kept: Kept, names: list[str], asked: Integers | None) -> neo.Segment:
        segment = neo.Segment(
            name=f"segment{kept.number:03d}",
            description=self.population.describe(),
            rec_datetime=datetime.now(),
        )
        segment.annotate(**kept.annotations)
        for name in names:
            if name == "spikes":
                segment.spiketrains = self._trains(kept, asked)
                segment.spiketrains.segment = segment
            elif name in kept.samples:
                self._add_signal(segment, kept, name, asked)
        return segment

    def _trains(self, kept: Kept, asked: Integers | None) -> SpikeTrainList:
        times, index, cells = kept.times, kept.index, kept.cells
        if asked is not None:
            cells = np.intersect1d(cells, asked)
            keep = np.isin(index, cells)
            times, index = times[keep], index[keep]
        first = int(self.population.first_id)
        return SpikeTrainList.from_spike_time_array(
            times,
            index + first,
            cells + first,
            t_start=kept.start * pq.ms,
            t_stop=kept.stop * pq.ms,
            units="ms",
            source_population=self.population.label,
            source_index=cells,
        )

    def _add_signal(
        self, segment: neo.Segment, kept: Kept, name: str, asked: Integers | None
    ) -> None:
        begin, cells, values = kept.samples[name]
        if asked is not None:
            keep = np.isin(cells, asked)
            cells, values = cells[keep], values[:, keep]
        if not values.size:
            return
        signal = neo.AnalogSignal(
            values,
            units=self.population.celltype.units[name],
            t_start=np.round(begin * self._simulator.state.dt, 9) * pq.ms,
            sampling_period=kept.interval * pq.ms,
            name=name,
            channel_ids=cells + int(self.population.first_id),
            source_population=self.population.label,
            array_annotations={"channel_index": cells},
        )
        segment.analogsignals.append(signal)
        signal.segment = segment

    def _local_count(self, variable: Any, filter_ids: Any = None) -> dict[int, int]:
        counts = np.bincount(self.spikes()[1], minlength=self.population.size)
        first = int(self.population.first_id)
        ids = self.filter_recorded(variable, filter_ids)
        return {int(cell): int(counts[int(cell) - first]) for cell in sorted(ids)}

    def _clear_simulator(self) -> None:
        """Forget what was returned; the sample of now also begins what comes."""
        kept: dict[str, list[tuple[int, Integers, Floats]]] = defaultdict(list)
        now = self._simulator.state.step
        for name, parts in self._samples.items():
            every = self._simulator.state.steps(self.sampling_interval, "sampling_interval")
            if parts and len(parts[-1][2]) and now % every == 0:
                kept[name].append((now, parts[-1][1], parts[-1][2][-1:]))
        self._reset()
        self._samples = kept

    def store_to_cache(self, annotations: Any = None) -> None:
        """Before reset(): what was recorded becomes a segment of the past."""
        begin = float(self._recording_start_time.rescale("ms").magnitude)
        if self._simulator.state.t > begin:
            self._past.append(self._kept(annotations or {}))
        self._recording_start_time = 0.0 * pq.ms
        self._reset()

    def clear(self) -> None:
        """Forget all that was recorded; what comes begins with the sample of now."""
        self._past = []
        self._recording_start_time = self._simulator.state.t * pq.ms
        self._clear_simulator()
