"""A script for SpiNNaker: the recorded cases, those of one timestep at a time in one network.

``python emulator_cases.py FOLDER-OF-CASES TARGET.npz``
"""

import json
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pyNN.spiNNaker as sim  # noqa: N813

SCALE = 32768


def source(spec):
    """One of PyNN's current sources, as a case describes it."""
    spec = dict(spec)
    kind, seed = spec.pop("kind"), spec.pop("seed", None)
    made = getattr(sim, kind)(**spec)
    if seed is not None:
        made.set_parameters(seed=tuple(seed))
    return made


def population(case):
    cells = sim.Population(case["n"], sim.IF_curr_exp(**case["params"]))
    cells.initialize(v=case["v_init"])
    for spec in case["sources"]:
        source(spec).inject_into(cells)
    cells.record(["spikes", "v"])
    return cells


def main(folder, target):
    files = sorted(Path(folder).glob("c*.json"))
    cases = {file.stem: json.loads(file.read_text())["case"] for file in files}
    found = {}
    for dt, names in groupby(
        sorted(cases, key=lambda n: (cases[n]["dt"], n)), lambda n: cases[n]["dt"]
    ):
        sim.setup(timestep=dt)
        populations = {name: population(cases[name]) for name in names}
        sim.run(max(cases[name]["T"] for name in populations))
        for name, cells in populations.items():
            segment = cells.get_data().segments[0]
            samples = round(cases[name]["T"] / dt)
            v = np.asarray(segment.filter(name="v")[0])[:samples]
            found[f"{name}/v"] = np.rint(v * SCALE).astype(np.int64).T
            for n, train in enumerate(segment.spiketrains):
                ticks = np.rint(np.asarray(train) / dt).astype(np.int64)
                found[f"{name}/{n}"] = ticks[ticks < samples]
        sim.end()
    np.savez(target, **found)


main(*sys.argv[1:])
