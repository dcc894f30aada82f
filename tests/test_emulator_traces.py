"""What SpiNNaker's machine code computes on the emulated cores, against recorded runs of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from emulated import memory_folder, run

HERE = Path(__file__).resolve().parent
CASES = HERE / "data" / "spinnaker_traces"
NAMES = sorted(file.stem for file in CASES.glob("c*.json"))
pytestmark = pytest.mark.xdist_group("emulator")


@pytest.fixture(scope="module")
def live():
    """All cases, one network for each timestep, through sPyNNaker's own host code."""
    with memory_folder() as folder:
        run(folder, "emulator_cases.py", str(CASES), "live.npz")
        with np.load(folder / "live.npz") as found:
            return dict(found)


def test_there_are_cases():
    assert len(NAMES) == 13


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_is_as_recorded(live, name):
    recorded = json.loads((CASES / f"{name}.json").read_text())
    np.testing.assert_array_equal(live[f"{name}/v"], recorded["v_raw"])
    for neuron, ticks in enumerate(recorded["spike_ticks"]):
        assert live[f"{name}/{neuron}"].tolist() == ticks
