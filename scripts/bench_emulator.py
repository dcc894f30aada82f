"""The emulated SpiNNaker, at work: processor time of a run, of all processes together.

python -m scripts.bench_emulator NEURONS TICKS   the last line printed is JSON: the seconds that
ticks took, and their number times the neurons. It is the difference between a long and a short run
of the same script, so that mapping, loading and imports are left out; sPyNNaker's host side, which
reads the spikes back, is in it. One neuron population, a step current, spikes only, 1 ms.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from backends.spinnaker.emulator import launcher

from .bench_report import Seconds, Table, alone

GOAL = 5e-6
"""s a neuron and step: 2e5 of them a second."""
SHORT = 100
"""Ticks of the run that is taken off."""
SCRIPT = """\
import sys
import pyNN.spiNNaker as sim
neurons, ticks = int(sys.argv[1]), int(sys.argv[2])
sim.setup(timestep=1.0)
cells = sim.Population(neurons, sim.IF_curr_exp(tau_m=30.0, cm=0.25, v_thresh=-53.0, v_rest=-70.0,
                                                v_reset=-70.0, tau_refrac=2.0))
sim.StepCurrentSource(times=[0.0, 50.0], amplitudes=[0.3, 0.4]).inject_into(cells)
cells.record("spikes")
sim.run(ticks)
print("spikes", sum(len(train) for train in cells.get_data("spikes").segments[0].spiketrains))
sim.end()
"""


def measure(neurons: int, ticks: int) -> Seconds:
    """Run the script twice; seconds of processor time, and the steps they were for."""
    short, long = (_processor_time(neurons, n) for n in (SHORT, SHORT + ticks))
    return {"seconds": long - short, "steps": float(neurons * ticks)}


def _processor_time(neurons: int, ticks: int) -> float:
    before = _children()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT, encoding="utf-8")
        command = launcher.command(str(script), str(neurons), str(ticks))
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    counts = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("spikes ")]
    if done.returncode or not counts or int(counts[-1]) == 0:
        raise RuntimeError(f"no spikes from the emulator (status {done.returncode}): {done.stderr}")
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(runs: list[Seconds]) -> Table:
    """The table of :mod:`scripts.bench`; runs: what `main` has printed."""
    steps = runs[0]["steps"]
    line = alone("spinnaker-emulator", runs, "seconds", goal=GOAL * steps)
    line.what += f", {steps / line.ours:.2g} neuron-steps/s"
    title = (
        f"SpiNNaker's machine code, emulated: {steps:.0f} neuron-steps of 1 ms, one core's worth"
    )
    return Table(title, [line], "Processor time of all processes, host side included.")


def main(neurons: str, ticks: str) -> None:
    """Measure once."""
    print(json.dumps(measure(int(neurons), int(ticks))))


if __name__ == "__main__":
    main(*sys.argv[1:])
