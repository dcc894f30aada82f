"""As much of sPyNNaker as the code for it touches, with the habits that matter, and no machine."""

import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import ClassVar

import numpy as np


class IFCurrExpBase:
    default_parameters: ClassVar = {"tau_m": 20.0, "v_rest": -65.0}

    def __init__(self, **parameters):
        self.parameters = {**self.default_parameters, **parameters}


class SpikeSourceArray:
    default_parameters: ClassVar = {"spike_times": []}

    def __init__(self, **parameters):
        self.parameters = parameters


class Injecting:
    def inject_into(self, cells):
        population, indices = cells.place()
        # Of two views of a population only the last one receives a source.
        population.injected[self] = indices


class StepCurrentSource(Injecting):
    def __init__(self, times=(), amplitudes=()):
        assert isinstance(times, Sequence)
        assert isinstance(amplitudes, Sequence)
        assert all(type(x) is float for x in [*times, *amplitudes])
        assert len(times) == len(amplitudes)
        self.times, self.amplitudes = list(times), list(amplitudes)


class NoisyCurrentSource(Injecting):
    def __init__(self, mean=0.0, stdev=1.0, start=0.0, stop=0.0, dt=1.0, rng=None):
        assert rng is None
        assert mean >= 0
        self.__dict__.update(mean=mean, stdev=stdev, start=start, stop=stop, dt=dt)

    def set_parameters(self, seed):
        self.seed = seed


class PopulationView:
    def __init__(self, population, indices):
        self.__dict__.update(grandparent=population, indices=list(indices))

    def __getattr__(self, name):
        raise KeyError(f"{name} is not a recognized parameter")  # not an AttributeError

    @property
    def size(self):
        return len(self.indices)

    @property
    def celltype(self):
        return self.grandparent.celltype

    def index_in_grandparent(self, indices):
        return [self.indices[i] for i in indices]

    def place(self):
        return self.grandparent, self.indices

    def record(self, variable, sampling_interval=None):
        self.grandparent.recorded[variable] = (self.indices, sampling_interval)


class Assembly:
    def __init__(self, *populations):
        self.populations = populations


class Train:
    def __init__(self, index, times):
        self.annotations = {"source_index": index}
        self.magnitude = np.array(times, dtype=float)

    def __len__(self):
        return len(self.magnitude)

    def rescale(self, unit):
        assert unit == "ms"
        return self


class Population:
    spikes: ClassVar = {}

    def __init__(self, size, celltype, label=""):
        self.size, self.celltype, self.label = size, celltype, label
        self.injected, self.recorded, self.per_core = {}, {}, None

    def __getitem__(self, which):
        if isinstance(which, slice):
            return PopulationView(self, range(*which.indices(self.size)))
        return PopulationView(self, which if isinstance(which, list) else [which])

    def place(self):
        return self, list(range(self.size))

    def initialize(self, **values):
        self.initial_values = values

    def can_record(self, variable):
        return variable == "spikes" or not isinstance(self.celltype, SpikeSourceArray)

    def record(self, variable):
        self.recorded[variable] = None

    def set_max_atoms_per_core(self, n):
        self.per_core = n

    def get(self, name):
        return [self.celltype.parameters[name]]

    def get_data(self, variable):
        trains = [Train(i, times) for i, times in self.spikes.items()]
        segment = types.SimpleNamespace(spiketrains=trains)
        return types.SimpleNamespace(segments=[segment])


def install(monkeypatch, virtual=False):
    """Make it what `pyNN.spiNNaker` imports; returns the module and what it was configured with."""
    module = types.ModuleType("pyNN.spiNNaker")
    module.__spec__ = ModuleSpec("pyNN.spiNNaker", None)
    config = {("Machine", "virtual_board"): str(virtual)}
    for thing in (StepCurrentSource, NoisyCurrentSource, SpikeSourceArray, Population, Assembly):
        setattr(module, thing.__name__, thing)
    module.IF_curr_exp = IFCurrExpBase
    module.setup = lambda **options: config.update(setup=options)
    module.runs = []
    module.run = module.runs.append
    module.end = lambda: None
    holder = types.ModuleType("spinn_utilities.config_holder")
    holder.set_config = lambda s, o, v: config.update({(s, o): v})
    holder.get_config_bool = lambda s, o: config.get((s, o)) == "True"
    monkeypatch.setitem(sys.modules, "pyNN.spiNNaker", module)
    monkeypatch.setitem(sys.modules, "spinn_utilities", types.ModuleType("spinn_utilities"))
    monkeypatch.setitem(sys.modules, "spinn_utilities.config_holder", holder)
    return module, config
