"""The twin against SpiNNaker's machine code, executed: random experiments, equal to the bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spinnaker_cases

import backends.spinnaker.twin as sim

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(__file__).with_name("play_on_spinnaker.py")


def emulated(folder, cases, seeds):
    """What the machine code answers: (seed, number) -> (v, (neuron, tick) of the spikes)."""
    out = folder / "found.npz"
    command = [sys.executable, "-m", "backends.spinnaker.emulator", str(SCRIPT)]
    done = subprocess.run(
        [*command, str(out), str(cases), *map(str, seeds)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SCRIPT.parent)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with np.load(out) as found:
        return {
            (seed, k): (found[f"{seed}-{k}-v"], found[f"{seed}-{k}-spikes"])
            for seed in seeds
            for k in range(cases)
        }


def compare(folder, cases, seeds):
    """Simulate on both; the number of spikes."""
    real = emulated(folder, cases, seeds)
    total = 0
    for seed in seeds:
        played = spinnaker_cases.play(sim, spinnaker_cases.batch(seed, cases))
        for number, (v, spikes) in enumerate(played):
            expected_v, expected_spikes = real[seed, number]
            where = f"case {number} of batch({seed}, {cases})"
            assert np.array_equal(v, expected_v), where
            ticks = [[neuron, tick] for neuron, train in enumerate(spikes) for tick in train]
            assert ticks == expected_spikes.tolist(), where
            total += len(ticks)
    return total


@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
def test_twenty_random_experiments(tmp_path):
    assert compare(tmp_path, 10, [101, 102]) > 200


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
@pytest.mark.parametrize("first", range(1000, 1020, 2))
def test_two_hundred_random_experiments(tmp_path, first):
    assert compare(tmp_path, 10, [first, first + 1]) > 100
