"""What an experiment will ask of the machine, found without one.

The very code that builds the experiment and injects its currents is run against stand-ins that
only take down who receives what; the sizes follow from that, as they do on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from pynn_model import network
from pynn_model.conventions import spinnaker_limits as limits
from pynn_model.conventions.sources import Injections, drives
from pynn_model.experiment import Condition, Experiment


class StandIn:
    """A population, or some cells of one, that currents are injected into."""

    celltype = SimpleNamespace(injectable=True)

    def __init__(self, size: int, first: int = 0, whole: StandIn | None = None) -> None:
        self.size = size
        self.first = first
        if whole is None:
            self.all_cells = range(size)
        else:
            self.grandparent = whole

    def __getitem__(self, cells: slice) -> StandIn:
        first, end, _ = cells.indices(self.size)
        return StandIn(end - first, first, self)

    def index_in_grandparent(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(indices) + self.first


@dataclass(frozen=True)
class Need:
    """What one condition's population needs. layout: None where a neuron is too much for a core or
    for its chip."""

    condition: Condition
    recorded: limits.Recorded
    layout: limits.Layout | None
    largest: float
    """nA, the largest sum of currents that a neuron receives, without its sign."""
    entries: int
    """Entries of the longest sources of one neuron."""
    total_entries: int
    sources: int


def needs(experiment: Experiment) -> Iterator[Need]:
    """What each condition needs, one at a time, since their currents may be large."""
    assert experiment.neuron is not None
    dt, size = experiment.timestep, experiment.trials
    record = experiment.record
    samples = round(experiment.duration / record.v_interval)
    recorded = limits.Recorded(record.spikes, record.v, experiment.n_steps, samples)
    for condition in experiment.conditions:
        injections = Injections(dt, experiment.seed)
        population = StandIn(size)
        network.inject(SimpleNamespace(**injections.classes()), population, experiment, condition)
        found = drives(injections.exact(), dt, experiment.n_steps)
        noisy = limits.noisy_sources(injections, population)
        layout = limits.arrange(size, found, experiment.neuron.cell_type, recorded, noisy)
        sums = [drive.steps() for drive in found]
        if layout is None or layout.summed:
            counted = [len(total.start) + 1 for total in sums]
        else:
            parts = {id(part): part for drive in found for part in drive.parts}
            counted = [len(part.start) + 1 for part in parts.values()]
        yield Need(
            condition,
            recorded,
            layout,
            max((float(np.abs(total.amplitude).max(initial=0.0)) for total in sums), default=0.0),
            limits.entries_of_one(found) if found else 0,
            sum(counted),
            len(counted) + noisy * size,
        )
