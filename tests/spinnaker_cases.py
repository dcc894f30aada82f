"""Random experiments in plain PyNN, for any PyNN module that has SpiNNaker's meaning of them.

A batch is several populations in one simulation, each a case of its own: 1 to 12 neurons, some or
all parameters different from neuron to neuron, several current sources into all or some of them,
several cores. What SpiNNaker refuses is not in them; what it does wrong is: entries of a step
source in one tick, out of order or used up, sources that are never on, numbers that wrap.
"""

from dataclasses import dataclass, field

import numpy as np

TIMESTEPS = (0.1, 0.125, 0.2, 0.25, 0.3, 0.5, 0.7, 1.0)


@dataclass
class Injected:
    """A current source: its kind and parameters by PyNN's names; cells: None for all of them."""

    kind: str
    parameters: dict
    seed: tuple[int, int, int, int] | None = None
    cells: list[int] | None = None


@dataclass
class Case:
    """A population. parameters: numbers, or lists of one for each neuron."""

    size: int
    per_core: int | None
    parameters: dict
    v: float | list[float]
    sources: list[Injected] = field(default_factory=list)


@dataclass
class Batch:
    """Cases that are simulated together, for `ticks` of `timestep` ms."""

    timestep: float
    ticks: int
    cases: list[Case]

    @property
    def duration(self):
        return self.ticks * self.timestep


def batch(seed, cases=1, ticks=(20, 300)):
    """A reproducible one."""
    rng = np.random.default_rng(seed)
    timestep = float(rng.choice(TIMESTEPS))
    count = int(rng.integers(*ticks))
    while np.ceil(count * timestep / timestep) != count:  # sPyNNaker would add a tick
        count += 1
    return Batch(timestep, count, [_case(rng, timestep, count) for _ in range(cases)])


def _case(rng, timestep, ticks):
    size = int(rng.integers(1, 13))
    per_core = None if rng.random() < 0.6 else int(rng.integers(1, size + 1))

    def some(draw):
        """The same for all neurons, or different ones."""
        if rng.random() < 0.5:
            return _digits(rng, draw())
        return [_digits(rng, draw()) for _ in range(size)]

    rest = float(rng.uniform(-80, -40))
    parameters = {
        "tau_m": some(lambda: np.exp(rng.uniform(np.log(0.4), np.log(300)))),
        "cm": some(lambda: np.exp(rng.uniform(np.log(0.01), np.log(5)))),
        "v_rest": some(lambda: rest + rng.uniform(-3, 3)),
        "v_reset": some(lambda: rest + rng.uniform(-15, 4)),
        "v_thresh": some(lambda: rest + rng.uniform(5, 25)),
        "tau_refrac": some(lambda: rng.choice([0.0, timestep, rng.uniform(0, 8)])),
        "i_offset": some(lambda: rng.choice([0.0, rng.normal(0, 1)])),
    }
    sources = [_source(rng, timestep, ticks, size) for _ in range(int(rng.integers(0, 5)))]
    return Case(size, per_core, parameters, some(lambda: rest + rng.uniform(-20, 20)), sources)


def _digits(rng, value):
    """A number as people write it, or with all of its digits."""
    return (
        float(value) if rng.random() < 0.3 else float(np.round(value, int(rng.integers(0, 5)) + 2))
    )


def _source(rng, timestep, ticks, size):
    end = ticks * timestep
    start = 0.0 if rng.random() < 0.3 else _digits(rng, rng.uniform(0, end / 2))
    stop = rng.choice([end * 2, rng.uniform(0, end), 1e12], p=[0.4, 0.5, 0.1])
    window = {"start": start, "stop": _digits(rng, stop)}
    strength = float(np.exp(rng.uniform(np.log(0.05), np.log(20))))
    cells = None
    if size > 1 and rng.random() < 0.4:
        count = int(rng.integers(1, size))
        cells = sorted(rng.choice(size, count, replace=False).tolist())
    kind = rng.choice(["dc", "ac", "step", "noisy"], p=[0.2, 0.2, 0.4, 0.2])
    if kind == "dc":
        parameters = {"amplitude": _digits(rng, strength), **window}
        return Injected("DCSource", parameters, None, cells)
    if kind == "ac":
        parameters = {
            "amplitude": _digits(rng, strength),
            "offset": _digits(rng, rng.uniform(0, 1)),
            "frequency": _digits(rng, np.exp(rng.uniform(0, np.log(600)))),
            "phase": _digits(rng, rng.uniform(0, 720)),
            **window,
        }
        return Injected("ACSource", parameters, None, cells)
    if kind == "noisy":
        parameters = {
            "mean": _digits(rng, rng.uniform(0, 1)),
            "stdev": _digits(rng, strength),
            "dt": timestep,
            **window,
        }
        words = rng.integers(1, 2**32 - 1, 3).tolist()
        return Injected(
            "NoisyCurrentSource", parameters, (*words, int(rng.integers(1, 698769069))), cells
        )
    return Injected("StepCurrentSource", _steps(rng, timestep, ticks, strength), None, cells)


def _steps(rng, timestep, ticks, strength):
    style = rng.choice(["every", "some", "off grid", "added up", "unsorted"])
    if style == "every":
        times = [k * timestep for k in range(ticks + int(rng.integers(0, 3)))]
    elif style == "added up":
        times = np.cumsum(np.full(ticks, timestep)).tolist()
    else:
        times = rng.uniform(0, 1.2 * ticks * timestep, int(rng.integers(1, 40)))
        if style == "some":
            times = np.unique(np.round(times / timestep)) * timestep
        times = times.tolist() if style == "unsorted" else np.sort(times).tolist()
    scale = rng.choice([strength, 3000.0], p=[0.93, 0.07])
    amplitudes = [_digits(rng, a) for a in rng.normal(0, scale, len(times))]
    return {"times": times, "amplitudes": amplitudes}


def play(sim, batch, **setup):
    """Simulate a batch with a PyNN module: for each case (v, spikes).

    v: (ticks, neurons) in units of 1/32768 mV. spikes: for each neuron its ticks.
    """
    sim.setup(timestep=batch.timestep, **setup)
    populations = [_build(sim, number, case) for number, case in enumerate(batch.cases)]
    sim.run(batch.duration)
    found = [_read(population, batch.timestep) for population in populations]
    sim.end()
    return found


def _build(sim, number, case):
    population = sim.Population(
        case.size, sim.IF_curr_exp(**case.parameters), label=f"case {number}"
    )
    if case.per_core:
        population.set_max_atoms_per_core(case.per_core)
    population.initialize(v=case.v)
    for injected in case.sources:
        source = getattr(sim, injected.kind)(**injected.parameters)
        if injected.seed:
            source.set_parameters(seed=injected.seed)
        source.inject_into(population if injected.cells is None else population[injected.cells])
    population.record(["spikes", "v"])
    return population


def _read(population, timestep):
    segment = population.get_data().segments[0]
    v = np.asarray(segment.filter(name="v")[0].rescale("mV").magnitude, dtype=float) * 32768
    assert np.array_equal(v, np.rint(v))
    spikes = [[] for _ in range(population.size)]
    for train in segment.spiketrains:
        times = np.asarray(train.rescale("ms").magnitude, dtype=float)
        spikes[int(train.annotations["source_index"])] = (
            np.rint(times / timestep).astype(int).tolist()
        )
    return v.astype(np.int64), spikes
