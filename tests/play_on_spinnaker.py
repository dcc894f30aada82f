"""Plays batches of random cases on pyNN.spiNNaker: a script for the emulator's launcher.

play_on_spinnaker.py OUT.npz CASES SEED...   one batch of CASES cases for each seed
"""

import sys

import numpy as np
import pyNN.spiNNaker
import spinnaker_cases


def main(out, cases, *seeds):
    found = {}
    for seed in seeds:
        batch = spinnaker_cases.batch(int(seed), int(cases))
        factor = max(1, round(1 / batch.timestep))
        played = spinnaker_cases.play(pyNN.spiNNaker, batch, time_scale_factor=factor)
        for number, (v, spikes) in enumerate(played):
            found[f"{seed}-{number}-v"] = v
            ticks = [(neuron, tick) for neuron, train in enumerate(spikes) for tick in train]
            found[f"{seed}-{number}-spikes"] = np.array(ticks, dtype=np.int64).reshape(-1, 2)
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
