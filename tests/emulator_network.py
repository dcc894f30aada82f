"""A script for SpiNNaker: single synapses of every kind, for comparison with what theory says.

``python emulator_network.py TARGET.json``
"""

import json
import sys

import numpy as np
import pyNN.spiNNaker as sim  # noqa: N813

SPIKE = 10.0
DELAYS = (1.0, 2.0, 14.0, 40.0)
CELL = {"cm": 1.0, "tau_m": 20.0, "tau_syn_E": 5.0, "tau_syn_I": 10.0}
PAIR = {"tau_plus": 20.0, "tau_minus": 30.0, "A_plus": 0.1, "A_minus": 0.12}
APART = 10
LAST = 400.0
"""A spike that only brings the plastic weights up to date."""


def rested(cell):
    cells = sim.Population(1, cell)
    cells.initialize(v=-65.0)
    return cells


def connect(source, target, synapse, kind="excitatory"):
    return sim.Projection(
        source, target, sim.OneToOneConnector(), synapse_type=synapse, receptor_type=kind
    )


def responses(timestep):
    """The potential after one spike, for each delay, and one that inhibits."""
    sim.setup(timestep=timestep)
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[SPIKE]))
    cells = {}
    for delay in DELAYS:
        cells[str(delay)] = rested(sim.IF_curr_exp(**CELL))
        connect(source, cells[str(delay)], sim.StaticSynapse(weight=1.0, delay=delay))
    cells["inhibitory"] = rested(sim.IF_curr_exp(**CELL))
    connect(source, cells["inhibitory"], sim.StaticSynapse(weight=2.0, delay=3.0), "inhibitory")
    for population in cells.values():
        population.record("v")
    sim.run(100.0)
    found = {
        name: np.asarray(cell.get_data().segments[0].filter(name="v")[0])[:, 0].tolist()
        for name, cell in cells.items()
    }
    sim.end()
    return found


def plastic(first):
    """The weight after one pair of spikes; who comes first, "pre" or "post"."""
    before, after = ([100.0, LAST], 100.0 + APART) if first == "pre" else ([110.0, LAST], 100.0)
    pre = sim.Population(1, sim.SpikeSourceArray(spike_times=before))
    trigger = sim.Population(1, sim.SpikeSourceArray(spike_times=[after - 1.0]))
    post = rested(sim.IF_curr_delta(tau_refrac=20.0))
    connect(trigger, post, sim.StaticSynapse(weight=20.0, delay=1.0))
    rule = sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(**PAIR),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=4.0),
        weight=2.0,
        delay=1.0,
    )
    post.record("spikes")
    return connect(pre, post, rule), post


def pairs():
    sim.setup(timestep=1.0)
    made = {first: plastic(first) for first in ("pre", "post")}
    sim.run(LAST + 50.0)
    found = {}
    for first, (projection, post) in made.items():
        ((_, _, weight),) = projection.get("weight", "list")
        spikes = [float(t) for t in post.get_data().segments[0].spiketrains[0]]
        found[first] = {"weight": float(weight), "spikes": spikes}
    sim.end()
    return found


def main(target):
    found = {"1.0": responses(1.0), "0.1": responses(0.1), "pairs": pairs()}
    with open(target, "w", encoding="utf-8") as file:
        json.dump(found, file)


main(*sys.argv[1:])
