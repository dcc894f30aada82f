"""What a core computes every tick, compiled.

One call advances a block of neurons, few enough for the processor's first cache, over many ticks.
The loop over neurons has no branches, so that it becomes vector instructions. Arrays of numbers are
int32; products are taken in 64 bits and cut off, as on the core. States are changed in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled


@compiled
def shared_current(
    first: Any,
    current: Any,
    resistance: Any,
    decay: Any,
    v_rest: Any,
    v_reset: Any,
    v_thresh: Any,
    i_offset: Any,
    refractory: Any,
    v: Any,
    refract: Any,
    every: Any,
    sampled: Any,
    samples: Any,
    mask: Any,
    ticks: Any,
    cells: Any,
) -> int:
    """Neurons that all receive `current[tick − first]` and nothing of which can wrap.

    every: v of the neurons `sampled` goes into a row of `samples` at multiples of it. mask: uint8,
    a multiple of 8 long, zeros. Spikes go into ticks and cells, int32 and longer than neurons ×
    ticks by 8; their number is returned.
    """
    size = len(v)
    eights = mask.view(np.uint64)
    found = 0
    row = 0
    for tick in range(first, first + len(current)):
        if len(sampled) and tick % every == 0:
            for k in range(len(sampled)):
                samples[row, k] = v[sampled[k]]
            row += 1
        injected = np.int64(current[tick - first])
        for n in range(size):
            x = np.int32(injected + i_offset[n])
            alpha = np.int32(((np.int64(x) * resistance[n]) >> 15) + v_rest[n])
            step = np.int32(alpha - v[n])
            after = np.int32(alpha - ((np.int64(step) * decay[n]) >> 15))
            left = refract[n]
            held = left > 0
            after = v[n] if held else after
            left = np.int32(left - held)
            fired = after >= v_thresh[n]
            v[n] = v_reset[n] if fired else after
            refract[n] = refractory[n] if fired else left
            mask[n] = fired
        for eight in range(len(eights)):
            if eights[eight]:
                for n in range(8 * eight, 8 * eight + 8):
                    ticks[found] = tick  # the next one overwrites it where there is no spike
                    cells[found] = n
                    found += mask[n]
    return found


@compiled
def own_currents(
    first: Any,
    current: Any,
    resistance: Any,
    decay: Any,
    v_rest: Any,
    v_reset: Any,
    v_thresh: Any,
    i_offset: Any,
    refractory: Any,
    decay_exc: Any,
    decay_inh: Any,
    v: Any,
    refract: Any,
    exc: Any,
    inh: Any,
    every: Any,
    sampled: Any,
    samples: Any,
    wrapped: Any,
    ticks: Any,
    cells: Any,
) -> int:
    """Neurons with a current each, int64 (ticks, neurons), and synaptic currents that decay.

    wrapped: for each neuron the number of ticks in which a number left int32.
    """
    size = len(v)
    found = 0
    row = 0
    for tick in range(first, first + current.shape[0]):
        if len(sampled) and tick % every == 0:
            for k in range(len(sampled)):
                samples[row, k] = v[sampled[k]]
            row += 1
        for n in range(size):
            if refract[n] <= 0:
                exact = np.int64(exc[n]) - inh[n] + i_offset[n] + current[tick - first, n]
                x = np.int32(exact)
                lost = x != exact
                driven = (np.int64(x) * resistance[n]) >> 15
                exact = driven + v_rest[n]
                alpha = np.int32(exact)
                lost |= alpha != exact
                exact = np.int64(alpha) - v[n]
                step = np.int32(exact)
                lost |= step != exact
                kept = (np.int64(step) * decay[n]) >> 15
                exact = alpha - kept
                after = np.int32(exact)
                lost |= after != exact
                v[n] = after
                wrapped[n] += lost
            else:
                refract[n] -= 1
            if v[n] >= v_thresh[n]:
                v[n] = v_reset[n]
                refract[n] = refractory[n]
                ticks[found] = tick
                cells[found] = n
                found += 1
            exc[n] = np.int32((np.int64(exc[n]) * decay_exc[n]) >> 32)
            inh[n] = np.int32((np.int64(inh[n]) * decay_inh[n]) >> 32)
    return found


@compiled
def noise(
    first: Any,
    current: Any,
    neurons: Any,
    begin: Any,
    end: Any,
    mean: Any,
    deviation: Any,
    state: Any,
    table: Any,
) -> None:
    """Add a noisy source to `current`, (ticks, neurons): a fresh number for each call of a neuron.

    begin, end: its window in ticks. state: the generator's four words, uint64, advanced in place.
    """
    x, y, z, c = state[0], state[1], state[2], state[3]
    low = np.uint64(0xFFFFFFFF)
    for tick in range(max(first, begin), min(first + current.shape[0], end)):
        for n in neurons:
            x = (np.uint64(314527869) * x + np.uint64(1234567)) & low
            y ^= (y << np.uint64(5)) & low
            y ^= y >> np.uint64(7)
            y ^= (y << np.uint64(22)) & low
            t = np.uint64(4294584393) * z + c
            c = t >> np.uint64(32)
            z = t & low
            drawn = np.int64((x + y + z) & low)
            place = (drawn + 32768 * 65536) & 0xFFFFFFFF
            product = np.int32((np.int64(deviation) * table[place >> 16]) >> 15)
            current[tick - first, n] += np.int32(mean + product)
    state[0], state[1], state[2], state[3] = x, y, z, c
