"""The experiment as a plain PyNEST script: what :mod:`scripts.bench` measures ours against.

python -m scripts.bare_pynest EXPERIMENT.toml OUTPUT_FOLDER

No PyNN, no process of its own for the simulator, no run folder: NEST is driven directly, with one
step_current_generator a cell that plays the sum of all its currents, cells and generators made in
few calls, and everything read in one piece. Only what has to be the same for a comparison is taken
from the project: the experiment's numbers, the samples of its currents, and the figure.

It leaves spikes.npz (to compare), bare.json (seconds of each phase) and, where potentials are
recorded, raster.png in OUTPUT_FOLDER. It knows IF_curr_exp cells that start at rest only.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import json  # noqa: E402 - the imports are a phase that is measured
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any, NamedTuple  # noqa: E402

import nest  # noqa: E402
import numpy as np  # noqa: E402

from pynn_model import files, stimulus  # noqa: E402

if TYPE_CHECKING:
    import neo

    from pynn_model.experiment import Condition, Experiment

DELAY = 1.0
"""ms, of every connection: NEST's own default."""
LEAD = 2.0
"""ms. A generator cannot reach a cell before DELAY + dt, so time starts later; the cells rest."""
CHUNK = 50
"""Generators made in one call, which bounds the memory for their samples."""


def main(path: str, output: str) -> None:
    """Simulate the experiment in the TOML file `path`, draw it, write everything to `output`."""
    folder = Path(output)
    experiment = files.load(path)
    with_potentials = experiment.record.v > 0
    if with_potentials:
        from analysis.figures import save_figure
        from analysis.raster import raster_figure
    seconds = {}
    seconds["import"] = time.perf_counter() - BEGUN

    start = time.perf_counter()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = experiment.timestep
    played = [build(experiment, condition) for condition in experiment.conditions]
    seconds["build"] = time.perf_counter() - start

    start, start_cpu = time.perf_counter(), time.process_time()
    nest.Simulate(LEAD + experiment.duration + DELAY)
    seconds["run"] = time.perf_counter() - start
    seconds["run_cpu"] = time.process_time() - start_cpu

    start = time.perf_counter()
    recorded = [collect(experiment, of_condition) for of_condition in played]
    seconds["collect"] = time.perf_counter() - start

    start = time.perf_counter()
    if with_potentials:
        figure = raster_figure(to_neo(experiment, played, recorded))
        save_figure(figure, folder / "raster", ("png",))
    seconds["figure"] = time.perf_counter() - start
    seconds["whole"] = time.perf_counter() - BEGUN

    arrays: dict[str, Any] = {}
    for number, found in enumerate(recorded):
        arrays[f"times_{number}"] = found.times
        arrays[f"senders_{number}"] = found.senders
    np.savez(folder / "spikes.npz", **arrays)
    (folder / "bare.json").write_text(json.dumps(seconds), encoding="utf-8")


class Played(NamedTuple):
    """One condition: its nodes, and its currents (nA) where they are to be drawn."""

    cells: Any
    spike_recorder: Any
    multimeter: Any
    shared: np.ndarray
    private: np.ndarray


class Recorded(NamedTuple):
    """times (ms) and senders (0 ..), sorted by sender and time; v (mV), (samples, cells)."""

    times: np.ndarray
    senders: np.ndarray
    v: np.ndarray | None


def build(experiment: Experiment, condition: Condition) -> Played:
    """One condition's cells, their generators and recorders."""
    neuron = experiment.neuron
    assert neuron is not None
    p = neuron.parameters
    assert neuron.cell_type == "IF_curr_exp"
    assert neuron.initial_values["v"] == p["v_rest"]
    cells = nest.Create(
        "iaf_psc_exp",
        experiment.trials,
        params={
            "tau_m": p["tau_m"],
            "C_m": 1000.0 * p["cm"],
            "E_L": p["v_rest"],
            "V_reset": p["v_reset"],
            "V_th": p["v_thresh"],
            "V_m": p["v_rest"],
            "t_ref": p["tau_refrac"],
        },
    )
    private = np.zeros((0, 0))
    # All currents here change together, every `hold` steps.
    shared = stimulus.shared_current(experiment, condition)
    held = [getattr(current, "dt", experiment.duration) for current in condition.currents]
    hold = round(min(held) / experiment.timestep)
    steps = np.arange(0, experiment.n_steps, hold)
    times = np.round(LEAD - DELAY + steps * experiment.timestep, 9)
    for first in range(0, experiment.trials, CHUNK):
        trials = list(range(first, min(first + CHUNK, experiment.trials)))
        private = stimulus.private_currents(experiment, condition, trials)
        amplitudes = 1000.0 * (shared[steps] + private[:, steps])
        generators = nest.Create(
            "step_current_generator",
            len(trials),
            params=[{"amplitude_times": times, "amplitude_values": row} for row in amplitudes],
        )
        nest.Connect(generators, cells[trials], "one_to_one", {"delay": DELAY})
    spike_recorder = nest.Create("spike_recorder")
    nest.Connect(cells, spike_recorder, syn_spec={"delay": DELAY})
    multimeter = None
    if experiment.record.v:
        parameters = {"interval": experiment.record.v_interval, "record_from": ["V_m"]}
        multimeter = nest.Create("multimeter", params=parameters)
        nest.Connect(multimeter, cells[: experiment.record.v], syn_spec={"delay": DELAY})
    # Potentials are kept of cells of the only chunk, where they are kept at all.
    return Played(cells, spike_recorder, multimeter, shared, private[: experiment.record.v].T)


def collect(experiment: Experiment, played: Played) -> Recorded:
    """What the recorders hold, without the time before 0 and after the end."""
    first = played.cells[0].global_id
    events = played.spike_recorder.events
    times = np.round(events["times"] - LEAD, 9)
    senders = events["senders"] - first
    keep = (times > 0) & (times <= experiment.duration)
    times, senders = times[keep], senders[keep]
    order = np.lexsort((times, senders))
    if played.multimeter is None:
        return Recorded(times[order], senders[order], None)
    events = played.multimeter.events
    interval = experiment.record.v_interval
    sample = np.rint((events["times"] - LEAD) / interval).astype(np.int64)
    n_samples = round(experiment.duration / interval)
    keep = (sample >= 0) & (sample < n_samples)
    v = np.empty((n_samples, experiment.record.v))
    v[sample[keep], events["senders"][keep] - first] = events["V_m"][keep]
    return Recorded(times[order], senders[order], v)


def to_neo(experiment: Experiment, played: list[Played], recorded: list[Recorded]) -> neo.Block:
    """What the figure needs to know, as a Neo block."""
    import neo
    import quantities as pq

    block = neo.Block(name=experiment.name, backend="bare PyNEST", timestep=experiment.timestep)
    block.annotate(seed=experiment.seed, experiment=experiment.name)
    dt = experiment.timestep * pq.ms
    interval = experiment.record.v_interval * pq.ms
    for condition, given, found in zip(experiment.conditions, played, recorded, strict=True):
        segment = neo.Segment(name=condition.name)
        ends = np.searchsorted(found.senders, np.arange(1, experiment.trials))
        for times in np.split(found.times, ends):
            train = neo.SpikeTrain(times, units="ms", t_stop=experiment.duration)
            segment.spiketrains.append(train)
        for name, values, units, period in (
            ("v", found.v, "mV", interval),
            ("stimulus", given.shared[:, np.newaxis], "nA", dt),
            ("private_current", given.private, "nA", dt),
        ):
            signal = neo.AnalogSignal(values, units=units, sampling_period=period, name=name)
            segment.analogsignals.append(signal)
        block.segments.append(segment)
    return block


if __name__ == "__main__":
    main(*sys.argv[1:])
