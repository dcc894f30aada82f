"""A chain of groups of cells: a volley in the first one wanders through all.

It is an ordinary script for SpiNNaker. Without the machine:

    python -m backends.spinnaker.emulator docs/examples/synfire_chain.py
"""

import numpy as np
import pyNN.spiNNaker as sim

GROUPS, SIZE, DELAY = 6, 20, 4.0

sim.setup(timestep=1.0)
sim.set_number_of_neurons_per_core(sim.IF_curr_exp, 50)
kick = sim.Population(SIZE, sim.SpikeSourceArray(spike_times=[10.0]), label="kick")
cells = sim.IF_curr_exp(tau_m=20.0, cm=1.0, tau_syn_E=5.0, v_thresh=-50.0, tau_refrac=5.0)
groups = [sim.Population(SIZE, cells, label=f"group {k}") for k in range(GROUPS)]
synapse = sim.StaticSynapse(weight=0.4, delay=DELAY)
for before, after in zip([kick, *groups[:-1]], groups, strict=True):
    sim.Projection(before, after, sim.AllToAllConnector(), synapse)
for group in groups:
    group.record("spikes")
groups[0].record("v")

sim.run(100.0)

for group in groups:
    trains = group.get_data("spikes").segments[0].spiketrains
    times = np.concatenate([train.magnitude for train in trains])
    if len(times) == 0:
        print(f"{group.label}: silent")
    else:
        print(f"{group.label}: {len(times)} spikes, {times.min():g} to {times.max():g} ms")
v = groups[0].get_data("v").segments[0].analogsignals[0]
print(f"v of group 0: {v.shape[0]} samples of {v.shape[1]} cells, {v.max():.3f} at most")
sim.end()
