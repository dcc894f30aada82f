"""Whether SpiNNaker can run an experiment, asked before anything is sent.

The machine refuses some things when the network is built, hours after submission, and accepts
others that it then does wrong without a word. Each is named here, with a way out. What the run
itself avoids by construction is no reason: see :mod:`pynn_model.conventions.on_spinnaker`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pynn_model.conventions import spinnaker_limits as limits
from pynn_model.currents import NativeNoise, Noise, Ramp, Sinusoid, Waveform
from pynn_model.experiment import Condition, Experiment, Neuron

from . import own_model
from .layout import Need, needs

ROUNDED_BY = 0.05
"""The share by which rounding may change a parameter, or a time constant's decay, unsaid."""


def reasons(experiment: Experiment) -> list[str]:
    """Why SpiNNaker cannot run the experiment, or would silently get it wrong; empty if it can.

    Each is a sentence that names a way out. Of a model of the user's own, only what its text shows
    is checked: :func:`unchecked` tells the rest.
    """
    return [*_timestep(experiment), *reasons_in_software(experiment)]


def reasons_in_software(experiment: Experiment) -> list[str]:
    """The same for SpiNNaker in software, which keeps time at steps where a machine may not."""
    found = list(_grid(experiment))
    if experiment.model is not None:
        found += own_model.reasons(experiment)
    if experiment.neuron is None:
        return found
    found += _cell(experiment, experiment.neuron)
    known = not found  # only on a known grid and of a known cell do sizes mean something
    for condition in experiment.conditions:
        found += _native(experiment, condition)
    if known:
        found += _together(
            [(need, reason) for need in needs(experiment) for reason in _currents(experiment, need)]
        )
    return found


def unchecked(experiment: Experiment) -> list[str]:
    """What the check could not see."""
    return [] if experiment.model is None else own_model.UNCHECKED


def _timestep(experiment: Experiment) -> Iterator[str]:
    if limits.possible(experiment.timestep) and not limits.reliable(experiment.timestep):
        yield (
            f"timestep = {experiment.timestep:g}: SpiNNaker runs with 1 ms or 0.1 ms, others are "
            "not reliably supported; set timestep to 0.1 or 1"
        )


def _grid(experiment: Experiment) -> Iterator[str]:
    if not limits.possible(experiment.timestep):
        yield (
            f"timestep = {experiment.timestep:g}: SpiNNaker's time is in whole microseconds; "
            "its arithmetic is known from 0.1 to 1 ms; set timestep to 0.1 or 1"
        )
    if experiment.n_steps >= 2**31:
        yield (
            f"duration = {experiment.duration:g}: {experiment.n_steps} steps are more than a "
            "core's clock can count; make the run shorter or set timestep = 1"
        )


# --- the cell ----------------------------------------------------------------------------------


def _cell(experiment: Experiment, neuron: Neuron) -> Iterator[str]:
    if neuron.cell_type not in limits.CELL_TYPES:
        yield (
            f"neuron.cell_type = {neuron.cell_type}: SpiNNaker has no such cell; use one of "
            + ", ".join(limits.CELL_TYPES)
        )
        return
    yield from _numbers("neuron.parameters", neuron.parameters)
    yield from _numbers("neuron.initial_values", neuron.initial_values)
    p = neuron.parameters
    if "v_thresh" in p and limits.fixed(p["v_reset"]) >= limits.fixed(p["v_thresh"]):
        yield (
            f"neuron.parameters.v_reset = {p['v_reset']:g}: on SpiNNaker a cell whose reset is not "
            f"below v_thresh ({p['v_thresh']:g} mV) fires at every step; lower v_reset"
        )
    for name in ("cm", "tau_m", "tau_syn_E", "tau_syn_I"):
        if name in p and limits.fixed(p[name]) <= 0:
            yield (
                f"neuron.parameters.{name} = {p[name]:g}: becomes 0 in numbers of 1/32768, and the "
                f"core stops with a fault; use at least {limits.UNIT:.2g}"
            )
        elif name in p and abs(limits.fixed(p[name]) * limits.UNIT / p[name] - 1) > ROUNDED_BY:
            yield (
                f"neuron.parameters.{name} = {p[name]:g}: becomes "
                f"{limits.fixed(p[name]) * limits.UNIT:.3g} in numbers of 1/32768; use a larger one"
            )
    if "tau_m" in p and p["tau_m"] < limits.LARGEST:
        longest = experiment.timestep / limits.UNIT * ROUNDED_BY
        if p["tau_m"] > longest:
            yield (
                f"neuron.parameters.tau_m = {p['tau_m']:g}: its decay in a step of "
                f"{experiment.timestep:g} ms is rounded to 1/32768 and may be wrong by "
                f"{ROUNDED_BY:.0%} and more; use at most {longest:.0f} ms"
                + (", or timestep = 1" if experiment.timestep < 1 else "")
            )


def _numbers(table: str, values: dict[str, float]) -> Iterator[str]:
    for name, value in values.items():
        if not -limits.LARGEST <= value < limits.LARGEST:
            yield (
                f"{table}.{name} = {value:g}: SpiNNaker's numbers end at ±{limits.LARGEST:g}; use "
                "a smaller one"
            )


# --- currents ----------------------------------------------------------------------------------


def _native(experiment: Experiment, condition: Condition) -> Iterator[str]:
    for place, noise in enumerate(condition.currents):
        if not isinstance(noise, NativeNoise):
            continue
        where = f"conditions.{condition.name}.currents.{place}"
        instead = 'kind = "noise" (spectrum = "white", shared = false), which is made from the seed'
        if abs(noise.dt - experiment.timestep) > 1e-9:
            yield (
                f"{where}.dt = {noise.dt:g}: SpiNNaker's own noise changes every timestep, "
                f"{experiment.timestep:g} ms; set dt = {experiment.timestep:g}, or use {instead}"
            )
        if noise.mean < 0:
            yield (
                f"{where}.mean = {noise.mean:g}: SpiNNaker refuses a negative mean of its own "
                f"noise; add a constant current of {noise.mean:g} nA and set mean = 0, or use "
                f"{instead}"
            )


def _currents(experiment: Experiment, need: Need) -> Iterator[str]:
    """Without the condition's name, since many conditions may share a reason."""
    assert experiment.neuron is not None
    if need.largest >= limits.LARGEST:
        yield (
            f"a current of {need.largest:g} nA: SpiNNaker's numbers end at ±{limits.LARGEST:g}; "
            "make it weaker, or an impulse wider"
        )
    elif (reached := _target(experiment.neuron, need.largest)) >= limits.LARGEST:
        yield (
            f"{need.largest:g} nA drive the membrane towards {reached:.0f} mV, and beyond "
            f"±{limits.LARGEST:g} mV SpiNNaker's numbers change their sign; make it weaker, or an "
            "impulse wider"
        )
    recording = need.recorded.memory(1)
    if recording > limits.CHIP_MEMORY:
        yield (
            f"one neuron alone records {recording / 1e6:.0f} MB in {experiment.duration:g} ms, and "
            f"a chip holds {limits.CHIP_MEMORY / 1e6:.0f} MB; in pieces its currents would begin "
            "anew, so make the run shorter, or record v less often (record.v_interval)"
        )
    elif need.layout is None:
        most = limits.source_memory(1, experiment.neuron.cell_type) // limits.ENTRY
        yield (
            f"the current of a neuron needs {need.entries} entries, one for each change, and the "
            f"memory of a core holds {most}; " + _fewer_changes(experiment, need.condition, most)
        )


def _fewer_changes(experiment: Experiment, condition: Condition, most: int) -> str:
    """The way out where a current changes too often."""
    ways = []
    # Hundreds of entries are left for other currents and for what each source takes.
    hold = math.ceil(10 * experiment.duration / (0.9 * most)) / 10
    for place, current in enumerate(condition.currents):
        where = f"currents.{place}"
        if isinstance(current, Noise) and current.dt < hold:
            ways.append(f"hold its values longer ({where}.dt = {max(hold, 1.0):g})")
        elif isinstance(current, Waveform) and current.dt < hold:
            ways.append(f"give its samples more rarely ({where}.dt = {max(hold, 1.0):g})")
        elif isinstance(current, (Sinusoid, Ramp)):
            kind = "sinusoid" if isinstance(current, Sinusoid) else "ramp"
            ways.append(
                f"a {kind} ({where}) changes at every step: set timestep = 1, or shorten it with "
                "start and stop"
            )
    return "; ".join([*ways, "or make the run shorter"])


def _target(neuron: Neuron, current: float) -> float:
    """mV towards which a current (nA) and i_offset drive the membrane, without its sign."""
    p = neuron.parameters
    if "tau_m" not in p:
        return 0.0
    return (current + abs(p["i_offset"])) * p["tau_m"] / p["cm"] + abs(p["v_rest"])


def _together(found: list[tuple[Need, str]]) -> list[str]:
    """One reason for all the conditions that share it."""
    conditions: dict[str, list[str]] = {}
    for need, reason in found:
        conditions.setdefault(reason, []).append(need.condition.name)
    return [
        f"conditions.{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {reason}"
        for reason, names in conditions.items()
    ]
