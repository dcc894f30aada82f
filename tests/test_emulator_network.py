"""Synapses on the emulated machine, one by one, against what theory says they do."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from emulated import memory_folder, run

DELAYS = [1.0, 2.0, 14.0, 40.0]
pytestmark = pytest.mark.xdist_group("emulator")


@pytest.fixture(scope="module")
def found():
    """At 1 ms one core does neurons and synapses; at 0.1 ms they are on cores of their own; the
    longest delays take a core that does nothing but wait."""
    with memory_folder() as folder:
        run(folder, "emulator_network.py", "found.json")
        return json.loads((folder / "found.json").read_text())


def response(timestep, weight, delay, tau, tau_m=20.0, cm=1.0):
    """mV, at each timestep of 100 ms: an exponential current that begins `delay` after 10 ms."""
    t = np.arange(round(100 / timestep)) * timestep - 10.0 - delay
    rise = np.exp(-t / tau_m) - np.exp(-t / tau)
    return -65.0 + np.where(t > 0, weight / cm * tau_m * tau / (tau_m - tau) * rise, 0.0)


@pytest.mark.parametrize("timestep", ["1.0", "0.1"])
@pytest.mark.parametrize("delay", DELAYS)
def test_a_spike_has_its_effect_after_its_delay(found, timestep, delay):
    """Within what 16 bits of a weight and 15 of a decay leave over."""
    measured = found[timestep][str(delay)]
    expected = response(float(timestep), 1.0, delay, tau=5.0)
    np.testing.assert_allclose(measured, expected, rtol=0, atol=0.01)


@pytest.mark.parametrize(("timestep", "within"), [("1.0", 0.01), ("0.1", 0.05)])
def test_an_inhibitory_spike_lowers_the_potential(found, timestep, within):
    expected = response(float(timestep), -2.0, 3.0, tau=10.0)
    np.testing.assert_allclose(found[timestep]["inhibitory"], expected, rtol=0, atol=within)


def test_a_weight_grows_where_the_presynaptic_spike_is_first(found):
    """10 ms apart, and 1 ms of delay between neuron and synapse; sPyNNaker takes A_plus as it is,
    not as a part of w_max."""
    pair = found["pairs"]["pre"]
    assert pair["spikes"] == [110.0]
    assert pair["weight"] == pytest.approx(2.0 + 0.1 * math.exp(-11 / 20), abs=1 / 512)


def test_a_weight_shrinks_where_the_presynaptic_spike_is_last(found):
    pair = found["pairs"]["post"]
    assert pair["spikes"] == [100.0]
    assert pair["weight"] == pytest.approx(2.0 - 0.12 * math.exp(-9 / 30), abs=1 / 512)
