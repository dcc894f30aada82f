"""A small balanced network (after Brunel, 2000, J. Comput. Neurosci. 8:183), in plain PyNN.

`build` may use everything PyNN offers. It returns the populations to record, by name; it must not
call setup, run, record or end: the runner does. `experiment.parameters` holds PARAMETERS, with
the experiment file's [model.parameters] in their place.
"""

import numpy as np

PARAMETERS = {
    "n_exc": 80,
    "n_inh": 20,
    "connected": 0.25,  # each cell hears this fraction of each population
    "weight": 0.05,  # nA, excitatory
    "g": 8.0,  # an inhibitory synapse is g times stronger
    "delay": 1.5,  # ms
    "poisson_rate": 1000.0,  # Hz, one source for each cell
    "poisson_weight": 0.05,  # nA
}

CELL = {
    "tau_m": 20.0,
    "cm": 0.25,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "tau_refrac": 2.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 10.0,
}


def build(sim, experiment):
    p = experiment.parameters
    rng = np.random.RandomState(experiment.seed)  # the same wiring on every simulator
    populations = {
        "excitatory": sim.Population(p["n_exc"], sim.IF_curr_exp(**CELL), label="excitatory"),
        "inhibitory": sim.Population(p["n_inh"], sim.IF_curr_exp(**CELL), label="inhibitory"),
    }
    for population in populations.values():
        start = CELL["v_rest"] + 15.0 * rng.rand(population.size)
        population.initialize(v=start.tolist())
        noise = sim.Population(population.size, sim.SpikeSourcePoisson(rate=p["poisson_rate"]))
        synapse = sim.StaticSynapse(weight=p["poisson_weight"], delay=p["delay"])
        sim.Projection(
            noise, population, sim.OneToOneConnector(), synapse, receptor_type="excitatory"
        )
    for name, receptor, weight in (
        ("excitatory", "excitatory", p["weight"]),
        ("inhibitory", "inhibitory", -p["g"] * p["weight"]),
    ):
        source = populations[name]
        for target in populations.values():
            pairs = [
                (int(i), j)
                for j in range(target.size)
                for i in rng.choice(source.size, int(p["connected"] * source.size), replace=False)
            ]
            sim.Projection(
                source,
                target,
                sim.FromListConnector(pairs),
                sim.StaticSynapse(weight=weight, delay=p["delay"]),
                receptor_type=receptor,
            )
    return populations
