"""What a virtual board was sent, as a core would read it: the current of every neuron and tick.

The layout of the region and the cursor that runs through it are those of sPyNNaker 7.4's machine
code (neural_modelling/src/neuron/current_sources).
"""

import sqlite3

import numpy as np

CURRENT_SOURCES = 3  # the region's number on a core of neurons


def words(database):
    """The current source region, as uint32, of each core that has neurons with sources."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT content FROM region WHERE region_num = ? AND content IS NOT NULL "
            "ORDER BY x, y, p",
            (CURRENT_SOURCES,),
        )
        return [np.frombuffer(content, "<u4") for (content,) in rows]


def sources(region, n_neurons):
    """(sources of each neuron, [(ticks, amplitudes as int32)]) of one core's region."""
    at = 1
    received = []
    for _ in range(n_neurons):
        n = int(region[at])
        received.append(region[at + 2 : at + 1 + 2 * n : 2].tolist())
        at += 1 + 2 * n
    n_steps = int(region[at + 2])
    at += 4
    found = []
    for _ in range(n_steps):
        n = int(region[at])
        ticks = region[at + 1 : at + 1 + n]
        amplitudes = region[at + 2 + n : at + 2 + 2 * n].astype(np.int32)
        assert region[at + 1 + n] == n
        found.append((ticks.astype(np.int64), amplitudes))
        at += 2 + 2 * n
    return received, found


def played(ticks, amplitudes, calls, n_ticks):
    """The amplitude at each tick, with one cursor that `calls` neurons push on."""
    current = np.zeros((n_ticks, calls), dtype=np.int64)
    place, last = 0, 0
    for tick in range(n_ticks):
        for call in range(calls):
            if tick >= ticks[place]:  # past the end it would read what lies there
                last = int(amplitudes[place])
                place += 1
            current[tick, call] = last
    return current


def currents(region, n_neurons, n_ticks):
    """int64 (ticks, neurons), in 1/32768 nA."""
    received, found = sources(region, n_neurons)
    total = np.zeros((n_ticks, n_neurons), dtype=np.int64)
    for number, (ticks, amplitudes) in enumerate(found):
        cells = [n for n in range(n_neurons) if number in received[n]]
        total[:, cells] += played(ticks, amplitudes, len(cells), n_ticks)
    return total
