"""Simulators beside each other on one core: many cells, one shared current, spikes only.

python -m scripts.bench_simulators SIMULATOR NEURONS MS   the last line printed is JSON: the
seconds that the cells' steps took, and the number of spikes. exact, exact-grid and spinnaker-twin
run through their PyNN interface, nest through PyNEST (on the grid, one thread), brian2 through
Brian2 itself in its C++ standalone mode, whose compile time is left out.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .bench_report import Seconds, Table, alone

TIMESTEP = 0.1
CELL = {
    "tau_m": 30.0,
    "cm": 0.25,
    "v_rest": -70.0,
    "v_reset": -70.0,
    "v_thresh": -53.0,
    "tau_refrac": 2.0,
}
SIMULATORS = ("exact", "exact-grid", "spinnaker-twin", "nest", "brian2")
GOALS = {"exact": 5e-9, "exact-grid": 5e-9, "spinnaker-twin": 1e-9}
"""s a neuron and step: 2e8 of them a second, 1e9 on the twin."""
Found = tuple[float, int]


def current(duration: float) -> np.ndarray:
    """A current (nA) that changes every step; about 50 spikes a second."""
    n_steps = round(duration / TIMESTEP)
    return np.asarray(0.3 + 0.1 * np.random.RandomState(1).standard_normal(n_steps))


def starts(neurons: int) -> np.ndarray:
    """Initial potentials, mV: all different, so that not all cells fire together."""
    return np.linspace(-70.0, -53.5, neurons)


def own(module: str, neurons: int, duration: float) -> Found:
    """One of this project's simulators, through PyNN. module: its import path."""
    sim: Any = importlib.import_module(module)
    for number, length in ((64, 10.0), (neurons, duration)):  # the first loads the kernels
        sim.setup(timestep=TIMESTEP)
        cells = sim.Population(number, sim.IF_curr_exp(**CELL))
        cells.initialize(v=starts(number))
        amplitudes = current(length)
        times = (np.arange(len(amplitudes)) * TIMESTEP).tolist()
        sim.StepCurrentSource(times=times, amplitudes=amplitudes.tolist()).inject_into(cells)
        cells.record("spikes")
        begun = time.process_time()
        sim.run(length)
        seconds = time.process_time() - begun
    _, found = cells.get_data().segments[0].spiketrains.multiplexed
    return seconds, len(found)


def nest(neurons: int, duration: float) -> Found:
    """PyNEST on the grid, with one generator."""
    import nest

    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution = TIMESTEP
    cells = nest.Create("iaf_psc_exp", neurons, params=_of_nest())
    cells.V_m = starts(neurons)
    amplitudes = current(duration)
    times = np.round((1 + np.arange(len(amplitudes))) * TIMESTEP, 9)
    generator = nest.Create("step_current_generator")
    generator.set(amplitude_times=times, amplitude_values=1000.0 * amplitudes)
    recorder = nest.Create("spike_recorder")
    # NEST exchanges currents and spikes once a shortest delay: ten steps are quicker than one.
    nest.Connect(generator, cells, syn_spec={"delay": 10 * TIMESTEP})
    nest.Connect(cells, recorder, syn_spec={"delay": 10 * TIMESTEP})
    begun = time.process_time()
    nest.Simulate(duration)
    return time.process_time() - begun, int(recorder.n_events)


def _of_nest() -> dict[str, float]:
    names = {"v_rest": "E_L", "v_reset": "V_reset", "v_thresh": "V_th", "tau_refrac": "t_ref"}
    found = {name: CELL[key] for key, name in names.items()}
    return {**found, "tau_m": CELL["tau_m"], "C_m": 1000.0 * CELL["cm"]}


def brian2(neurons: int, duration: float) -> Found:
    """Brian2 in C++ standalone mode, exact integration, one TimedArray."""
    import brian2 as b

    with tempfile.TemporaryDirectory() as folder:
        b.set_device("cpp_standalone", build_on_run=False)
        b.defaultclock.dt = TIMESTEP * b.ms
        shared = b.TimedArray(current(duration) * b.nA, dt=TIMESTEP * b.ms)
        group = b.NeuronGroup(
            neurons,
            "dv/dt = (rest - v)/tau + shared(t)/capacity : volt (unless refractory)",
            threshold="v >= thresh",
            reset="v = reset",
            refractory=CELL["tau_refrac"] * b.ms,
            method="exact",
            namespace={
                "shared": shared,
                "rest": CELL["v_rest"] * b.mV,
                "reset": CELL["v_reset"] * b.mV,
                "thresh": CELL["v_thresh"] * b.mV,
                "tau": CELL["tau_m"] * b.ms,
                "capacity": CELL["cm"] * b.nF,
            },
        )
        group.v = starts(neurons) * b.mV
        monitor = b.SpikeMonitor(group)
        b.run(duration * b.ms)
        b.device.build(directory=folder, compile=True, run=True, debug=False)
        return float(b.device._last_run_time), len(monitor.t)


RUN: dict[str, Callable[[int, float], Found]] = {
    "exact": lambda neurons, duration: own("backends.simulators.exact", neurons, duration),
    "exact-grid": lambda neurons, duration: own(
        "backends.simulators.exact_grid", neurons, duration
    ),
    "spinnaker-twin": lambda neurons, duration: own("backends.spinnaker.twin", neurons, duration),
    "nest": nest,
    "brian2": brian2,
}


def table(runs: dict[str, list[Seconds]], neurons: int, duration: float) -> Table:
    """The table of :mod:`scripts.bench`; runs: of each simulator, what `main` has printed."""
    steps = neurons * round(duration / TIMESTEP)
    lines = []
    for name, found in runs.items():
        line = alone(
            f"{name}, {found[0]['spikes']:.0f} spikes",
            found,
            "seconds",
            goal=GOALS[name] * steps if name in GOALS else None,
        )
        line.what += f", {steps / line.ours:.2g} neuron-steps/s"
        lines.append(line)
    title = (
        f"Simulators, {neurons} neurons × {duration / 1000:g} s at {TIMESTEP:g} ms, one shared "
        "current that changes every step, spikes only; CPU time of the steps on one core"
    )
    return Table(title, lines, "nest: PyNEST on the grid. brian2: C++ standalone, once, compiled.")


def main(simulator: str, neurons: str, duration: str) -> None:
    """Measure once."""
    seconds, spikes = RUN[simulator](int(neurons), float(duration))
    print(json.dumps({"seconds": seconds, "spikes": spikes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
