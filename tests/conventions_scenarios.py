"""Simulations for test_conventions.py, each in a process of its own.

python conventions_scenarios.py SYSTEM SCENARIO OUTPUT.npz [name=value ...]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pynn_model import conventions
from pynn_model.conventions import limits

LIF = {
    "tau_m": 30.0,
    "cm": 0.25,
    "v_rest": -70.0,
    "v_thresh": -53.0,
    "v_reset": -70.0,
    "tau_refrac": 2.0,
}
SUBTHRESHOLD = dict(LIF, v_thresh=1000.0)


def open_simulation(system: str, timestep: float, threads: int = 1, seed: int = 1) -> Any:
    simulation = conventions.open_simulator(system, timestep, seed, threads, print)
    simulation.setup()
    return simulation


def cells(sim: Any, size: int, **parameters: float) -> Any:
    population = sim.Population(size, sim.IF_curr_exp(**parameters))
    population.initialize(v=parameters["v_rest"])
    return population


def waveforms(timestep: float, duration: float, size: int, seed: int) -> np.ndarray:
    """(steps, size) nA, new values in every step."""
    steps = int(round(duration / timestep))
    return np.random.RandomState(seed).normal(0.1, 0.3, (steps, size))


def currents(system: str, timestep: float = 0.1, every: int = 1) -> dict[str, np.ndarray]:
    """One population of three cells for each way to inject; see `expected_currents`."""
    duration = 40.0
    simulation = open_simulation(system, timestep)
    sim = simulation.sim
    times = np.arange(round(duration / timestep)) * timestep
    w = waveforms(timestep, duration, 4, 11)

    def step(column: int, begin: int = 0) -> Any:
        return sim.StepCurrentSource(times=times[begin:], amplitudes=w[begin:, column])

    pops = {name: cells(sim, 3, **SUBTHRESHOLD) for name in expected_currents(timestep)}
    step(0).inject_into(pops["step"])
    pops["method"].inject(step(0))
    step(0, begin=10).inject_into(pops["later"])
    sim.StepCurrentSource(times=[0.0], amplitudes=[-0.2]).inject_into(pops["negative"])
    sim.DCSource(amplitude=0.15).inject_into(pops["dc"])
    sim.DCSource(amplitude=0.15, start=5.0, stop=20.0).inject_into(pops["pulse"])
    sim.ACSource(amplitude=0.2, offset=0.05, frequency=37.0, phase=20.0).inject_into(pops["ac"])
    sim.ACSource(amplitude=0.2, frequency=37.0, start=3.0, stop=30.0).inject_into(pops["ac part"])
    for source in (step(0), step(1, begin=7), sim.DCSource(amplitude=0.1, start=2.0)):
        source.inject_into(pops["several"])
    step(0).inject_into(pops["private"])
    for i, cell in enumerate(pops["private"]):
        step(i + 1).inject_into([cell])
    step(0).inject_into(pops["view"][1:3])
    step(0).inject_into([pops["list"][0], pops["list"][2]])
    changed = sim.DCSource(amplitude=5.0)
    changed.inject_into(pops["changed"])
    changed.amplitude = 0.12
    pops["i_offset"].set(i_offset=[0.0, 0.1, 0.2])
    step(0).inject_into(pops["i_offset"])
    for population in pops.values():
        simulation.record(population, True, [2, 0, 1], every * timestep)
    simulation.run(duration)
    result = {name: simulation.potentials(p) for name, p in pops.items()}
    result["offsets after"] = np.array(pops["i_offset"].get("i_offset"))
    return result


def expected_currents(timestep: float) -> dict[str, np.ndarray]:
    """(steps, 3) nA for each population of `currents`, in the order of its cells."""
    w = waveforms(timestep, 40.0, 4, 11)
    t = np.arange(len(w)) * timestep
    zero = np.zeros(len(w))
    first = w[:, 0]
    ac = 0.05 + 0.2 * np.sin(2 * np.pi * 37.0 * t / 1000 + np.pi / 9)
    late_ac = 0.2 * np.sin(2 * np.pi * 37.0 * (t - 3.0) / 1000)

    def between(values: Any, begin: float, end: float) -> np.ndarray:
        return np.where((t > begin - timestep / 2) & (t < end - timestep / 2), values, 0.0)

    def all_three(values: np.ndarray) -> np.ndarray:
        return np.stack([values] * 3, axis=1)

    late = between(first, 10 * timestep, 1e9)
    several = first + between(w[:, 1], 7 * timestep, 1e9) + between(0.1, 2.0, 1e9)
    return {
        "step": all_three(first),
        "method": all_three(first),
        "later": all_three(late),
        "negative": all_three(zero - 0.2),
        "dc": all_three(zero + 0.15),
        "pulse": all_three(between(0.15, 5.0, 20.0)),
        "ac": all_three(ac),
        "ac part": all_three(between(late_ac, 3.0, 30.0)),
        "several": all_three(several),
        "private": first[:, None] + w[:, 1:4],
        "view": np.stack([zero, first, first], axis=1),
        "list": np.stack([first, zero, first], axis=1),
        "changed": all_three(zero + 0.12),
        "i_offset": first[:, None] + np.array([0.0, 0.1, 0.2]),
        "none": all_three(zero),
    }


def frozen_and_private(timestep: float, duration: float, size: int) -> np.ndarray:
    """(steps, size) nA: strong in the first 2 ms, so that all cells fire at once."""
    shared = waveforms(timestep, duration, 1, 21) + 0.065
    shared[: round(2 / timestep)] += 5.0
    return shared + waveforms(timestep, duration, size, 22) - 0.1


def spikes(
    system: str,
    timestep: float = 0.1,
    duration: float = 2000.0,
    threads: int = 1,
    with_progress: int = 1,
) -> dict[str, np.ndarray]:
    """50 cells, a shared and a private current that change in every step."""
    size = 50
    simulation = open_simulation(system, timestep, threads)
    sim = simulation.sim
    population = cells(sim, size, **LIF)
    total = frozen_and_private(timestep, duration, size)
    times = np.arange(len(total)) * timestep
    shared = total[:, 0] / 2
    sim.StepCurrentSource(times=times, amplitudes=shared).inject_into(population)
    for i in range(size):
        private = total[:, i] - shared
        sim.StepCurrentSource(times=times, amplitudes=private).inject_into(population[i : i + 1])
    simulation.record(population, True, [0, 49], timestep)
    fractions: list[float] = []
    simulation.run(duration, fractions.append if with_progress else None)
    spike_times, index = simulation.spikes(population)
    return {
        "times": spike_times,
        "index": index,
        "v": simulation.potentials(population),
        "fractions": np.array(fractions),
        "tau_refrac": np.array(population.get("tau_refrac")),
        "cm": np.array(population.get("cm")),
    }


def edges(system: str, timestep: float = 0.1) -> dict[str, np.ndarray]:
    """Spikes in the first and at the end of the last step; odd refractory periods."""
    simulation = open_simulation(system, timestep)
    sim = simulation.sim
    first = cells(sim, 2, **LIF)
    sim.StepCurrentSource(times=[0.0, 2 * timestep], amplitudes=[60.0, 0.0]).inject_into(first)
    last = cells(sim, 1, **LIF)
    end = 30.0
    sim.StepCurrentSource(times=[end - timestep], amplitudes=[60.0]).inject_into(last)
    result = {}
    pops = {"first": first, "last": last}
    for period in (0.1, 0.25, 1.0) if timestep == 0.1 else (0.1, 1.0):
        pops["refractory {}".format(period)] = cells(sim, 1, **dict(LIF, tau_refrac=period))
        sim.DCSource(amplitude=6.0).inject_into(pops["refractory {}".format(period)])
    for population in pops.values():
        simulation.record(population, True, [], timestep)
    simulation.run(end)
    for name, population in pops.items():
        result[name] = simulation.spikes(population)[0]
    return result


def network(system: str, timestep: float = 0.1, delay: float = 1.5) -> dict[str, np.ndarray]:
    """Delays above the smallest: PSPs after a source's and a cell's spike, and a current from 0."""
    simulation = open_simulation(system, timestep)
    sim = simulation.sim
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[10.0, 20.0]))
    parameters = dict(LIF, tau_m=20.0, v_thresh=-50.0, tau_refrac=1000.0, tau_syn_E=5.0)
    sender, one, two, driven = (cells(sim, 1, **parameters) for _ in range(4))
    synapse = sim.StaticSynapse(weight=0.5, delay=delay)
    sim.Projection(source, one, sim.AllToAllConnector(), synapse)
    projection = sim.Projection(sender, two, sim.AllToAllConnector(), synapse)
    sim.StepCurrentSource(times=[0.0], amplitudes=[1.0]).inject_into(sender)
    w = waveforms(timestep, 60.0, 1, 31)[:, 0] / 3
    times = np.arange(len(w)) * timestep
    sim.StepCurrentSource(times=times, amplitudes=w).inject_into(driven)
    for population in (source, sender, one, two, driven):
        simulation.record(population, True, [] if population is source else [0], timestep)
    simulation.run(60.0)
    return {
        "source": simulation.spikes(source)[0],
        "sender": simulation.spikes(sender)[0],
        "after source": simulation.potentials(one)[:, 0],
        "after cell": simulation.potentials(two)[:, 0],
        "driven": simulation.potentials(driven)[:, 0],
        "current": w,
        "weight after": np.array(projection.get("weight", format="array")),
        "source after": np.array(simulation.sim.get_current_time()),
    }


def native_noise(system: str, seed: int = 1) -> dict[str, np.ndarray]:
    """One NoisyCurrentSource a cell; the current is read back from v."""
    timestep, size = 0.1, 40
    simulation = open_simulation(system, timestep, seed=seed)
    sim = simulation.sim
    population = cells(sim, size, **SUBTHRESHOLD)
    for i in range(size):
        noise = sim.NoisyCurrentSource(mean=0.1, stdev=0.3, dt=0.3)
        noise.inject_into(population[i : i + 1])
    late = cells(sim, 1, **SUBTHRESHOLD)
    sim.NoisyCurrentSource(mean=0.1, stdev=0.3, start=5.0, stop=10.0).inject_into(late)
    simulation.record(population, False, range(size), timestep)
    simulation.record(late, False, [0], timestep)
    simulation.run(60.0)
    decay = np.exp(-timestep / LIF["tau_m"])
    result = {}
    for name, part in (("noise", population), ("late", late)):
        u = simulation.potentials(part) - LIF["v_rest"]
        result[name] = (u[1:] - u[:-1] * decay) / (1 - decay) / (LIF["tau_m"] / LIF["cm"])
    result["notes"] = np.array(simulation.notes)
    return result


CELL_CURRENTS = {
    "IF_curr_exp": 1.0,
    "IF_curr_alpha": 1.0,
    "IF_curr_delta": 1.0,
    "IF_cond_exp": 1.0,
    "IF_cond_alpha": 1.0,
    "EIF_cond_exp_isfa_ista": 0.9,
    "EIF_cond_alpha_isfa_ista": 0.9,
    "Izhikevich": 0.01,
    "HH_cond_exp": 0.6,
}


def cell_types(system: str, timestep: float = 0.1, hh: int = 0) -> dict[str, np.ndarray]:
    """A current step at 20 ms into each cell type with its default parameters.

    HH_cond_exp goes alone: Brian2 2.9 confuses its equations with those of EIF_cond_exp_isfa_ista.
    """
    simulation = open_simulation(system, timestep)
    sim = simulation.sim
    pops = {}
    for name, amplitude in CELL_CURRENTS.items():
        if (name == "HH_cond_exp") == bool(hh) and not limits.unsupported(system, name, timestep):
            pops[name] = sim.Population(1, getattr(sim, name)())
            pops[name].initialize(v=-65.0)
            source = sim.StepCurrentSource(times=[20.0], amplitudes=[amplitude])
            source.inject_into(pops[name])
            simulation.record(pops[name], True, [0], timestep)
    simulation.run(100.0)
    result = {}
    for name, population in pops.items():
        result[name] = simulation.spikes(population)[0]
        result[name + " v"] = simulation.potentials(population)[:, 0]
    return result


def infinite(system: str) -> dict[str, np.ndarray]:
    """A cell that is driven out of the range of numbers, though its v is not recorded."""
    simulation = open_simulation(system, 1.0)
    sim = simulation.sim
    population = sim.Population(1, sim.HH_cond_exp(i_offset=1e9))
    population.initialize(v=-65.0)
    simulation.record(population, True, [], 1.0)
    simulation.run(20.0)
    return {}


def mock(system: str) -> dict[str, np.ndarray]:
    """A simulator without corrections, through PyNN alone."""
    simulation = open_simulation(system, 0.1)
    sim = simulation.sim
    population = sim.Population(4, sim.IF_curr_exp())
    sim.DCSource(amplitude=1.0).inject_into(population)
    simulation.record(population, True, [2, 0], 0.5)
    simulation.run(50.0)
    times, index = simulation.spikes(population)
    v = simulation.potentials(population)
    return {"times": times, "index": index, "v": v, "notes": np.array(simulation.notes)}


def main() -> None:
    system, scenario, output, *settings = sys.argv[1:]
    arguments = {}
    for setting in settings:
        name, value = setting.split("=")
        arguments[name] = float(value) if "." in value else int(value)
    np.savez(output, **globals()[scenario](system, **arguments))


if __name__ == "__main__":
    main()
