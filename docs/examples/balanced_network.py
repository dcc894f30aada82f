"""A small network of excitatory and inhibitory cells, driven by Poisson spikes.

It is an ordinary script for SpiNNaker, over several of its cores. Without the machine:

    python -m backends.spinnaker.emulator docs/examples/balanced_network.py
"""

import pyNN.spiNNaker as sim

EXCITATORY, INHIBITORY, DURATION = 80, 20, 500.0

sim.setup(timestep=1.0)
sim.set_number_of_neurons_per_core(sim.IF_curr_exp, 20)
cells = sim.IF_curr_exp(tau_m=20.0, cm=0.25, tau_syn_E=5.0, tau_syn_I=5.0, v_thresh=-50.0)
excitatory = sim.Population(EXCITATORY, cells, label="excitatory", seed=1)
inhibitory = sim.Population(INHIBITORY, cells, label="inhibitory", seed=2)
source = sim.SpikeSourcePoisson(rate=900.0)
inputs = {
    excitatory: sim.Population(
        EXCITATORY, source, label="to excitatory", additional_parameters={"seed": 3}
    ),
    inhibitory: sim.Population(
        INHIBITORY, source, label="to inhibitory", additional_parameters={"seed": 4}
    ),
}
excitation = sim.StaticSynapse(weight=0.05, delay=2.0)
inhibition = sim.StaticSynapse(weight=-0.5, delay=2.0)
for target, poisson in inputs.items():
    sim.Projection(poisson, target, sim.OneToOneConnector(), sim.StaticSynapse(weight=0.05))
    sim.Projection(excitatory, target, sim.FixedProbabilityConnector(0.1), excitation)
    sim.Projection(
        inhibitory,
        target,
        sim.FixedProbabilityConnector(0.1),
        inhibition,
        receptor_type="inhibitory",
    )
    target.record("spikes")
excitatory[0:5].record("v")

sim.run(DURATION)

for population in inputs:
    spikes = sum(len(t) for t in population.get_data("spikes").segments[0].spiketrains)
    rate = 1000.0 * spikes / population.size / DURATION
    print(f"{population.label}: {spikes} spikes, {rate:.1f} per second and cell")
v = excitatory[0:5].get_data("v").segments[0].analogsignals[0]
print(f"v of {v.shape[1]} cells: mean {v.mean():.2f}")
sim.end()
