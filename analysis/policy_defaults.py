"""Which policy a comparison gets if nobody asks for one: a table, with the reason of each row.

Every number was measured on the leaky integrate-and-fire cell of `mainen_sejnowski`, 900 to
1000 ms, over 25 to 200 runs with different noise; where fractions scatter, the row has about the
5th percentile of a single trial. The first row that applies is taken. A row never depends on how
far the two runs at hand are apart, nor on their seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.policies import Exact, Grid, Policy, Statistical, Timing
from analysis.runfacts import RunFacts
from analysis.theory import LIF_CELL_TYPES
from pynn_model.currents import Constant, NativeNoise, Noise
from pynn_model.experiment import Experiment

ON_GRID = ("exact-grid", "nest", "neuron", "brian2", "rehearsal")
"""Backends whose spikes are the ends of steps by one convention."""
OFF_GRID = ("exact", "nest-precise")
"""Backends whose spikes are where the potential crosses the threshold."""
FIXED = (
    "spinnaker",
    "spinnaker-twin",
    "spinnaker-emulator",
    "rehearsal-spinnaker-twin",
    "rehearsal-spinnaker-emulator",
)
"""Backends that compute in SpiNNaker's 32-bit fixed point."""

ALPHA = 0.01
"""Error rate of the statistical rows."""


@dataclass(frozen=True)
class Situation:
    """What a row can depend on.

    kinds: "grid", "exact", "fixed" or "unknown", of the reference and the other run. step: the
    longer timestep, ms; None if neither is known. same_step: whether both are known and equal,
    one_step: whether only one is known. stimulus:
    "constant", "frozen noise", "other", "native noise", "network" or "unknown". lif: whether the
    cell is a leaky integrate-and-fire one. tau_shift: by how much fixed point makes an interval
    longer under this constant current, ms; 0 where it does not apply.
    """

    backends: tuple[str, str]
    kinds: tuple[str, str]
    step: float | None
    same_step: bool
    one_step: bool
    stimulus: str
    lif: bool
    cell: str
    tau_shift: float

    def either(self, *kinds: str) -> bool:
        return any(kind in kinds for kind in self.kinds)

    def both(self, *kinds: str) -> bool:
        return all(kind in kinds for kind in self.kinds)


@dataclass(frozen=True)
class Row:
    """applies, policy: by the situation; reason: why, with the measurement."""

    name: str
    applies: Callable[[Situation], bool]
    policy: Callable[[Situation], Policy]
    reason: str


def _by_step(s: Situation, *values: float) -> float:
    """The value for timesteps up to 0.1 ms, up to 0.5 ms, and longer ones."""
    step = s.step or 0.0
    return values[0] if step <= 0.11 else values[1] if step <= 0.55 else values[2]


def _step(s: Situation) -> float:
    assert s.step is not None
    return round(s.step, 9)


ROWS: tuple[Row, ...] = (
    Row(
        "one backend",
        lambda s: s.backends[0] == s.backends[1] != "" and s.same_step,
        lambda s: Exact(),
        "one backend does the same twice, its own noise included, which its seed determines",
    ),
    Row(
        "drawn by the simulator",
        lambda s: s.stimulus in ("native noise", "network") and not s.either("unknown"),
        lambda s: Statistical(ALPHA),
        "each simulator draws this noise (or the model's random inputs) itself: no spike can agree "
        "but by chance, only distributions can",
    ),
    Row(
        "off the grid",
        lambda s: s.both("exact"),
        lambda s: Timing(1e-6, 1.0),
        "both solve the equation exactly between current changes: NEST's precise spikes are within "
        "2e-10 ms of the closed form",
    ),
    Row(
        "fixed point twice",
        lambda s: s.both("fixed") and s.same_step,
        lambda s: Grid(0),
        "the same 32-bit arithmetic, bit for bit",
    ),
    Row(
        "other cells",
        lambda s: not s.lif and not s.either("unknown"),
        lambda s: Timing(0.5, 0.95),
        "simulators integrate this cell with methods and steps of their own: EIF cells are up to "
        "0.3 ms apart after 500 ms, HH spikes are stamped 0.1 to 0.2 ms apart",
    ),
    Row(
        "NEURON at long steps",
        lambda s: s.both("grid") and s.same_step and "neuron" in s.backends and (s.step or 0) > 0.3,
        lambda s: Timing(_step(s) / 2, 0.98),
        "NEURON's second-order integration is off by 2e-5 mV at 0.1 ms and more at longer steps, "
        "which decides a marginal crossing now and then: 588 of 590 spikes equal at 1 ms",
    ),
    Row(
        "one convention",
        lambda s: s.both("grid") and s.same_step,
        lambda s: Grid(0),
        "one convention, one current, one equation: 581 of 581 spikes on the same grid points",
    ),
    Row(
        "fixed point, constant current",
        lambda s: s.either("fixed") and not s.either("unknown") and s.stimulus == "constant",
        lambda s: Timing(round(_step(s) + s.tau_shift, 3), 1.0, round(_step(s) + s.tau_shift, 3)),
        "SpiNNaker's decay factor is rounded down to 1/32768, which changes tau_m by up to 0.7 % "
        "(at 50 ms and dt 0.1); under constant current each interval is longer or shorter by what "
        "that amounts to, and by up to a step of rounding",
    ),
    Row(
        "fixed point, other currents",
        lambda s: s.either("fixed") and not s.either("unknown"),
        lambda s: Timing(_by_step(s, 2.0, 2.0, 3.0), _by_step(s, 0.8, 0.75, 0.65)),
        "fluctuating input locks the spikes although tau_m is effectively up to 0.7 % off: .95 to "
        "1.00 of them within 2 ms of the exact arithmetic (.86 in the worst of 40 runs)",
    ),
    Row(
        "constant current",
        lambda s: s.either("grid") and not s.either("unknown") and s.stimulus == "constant",
        lambda s: Timing(_step(s), 1.0, _step(s)),
        "on the grid each spike is late by up to a step, and under constant current nothing takes "
        "that back: spike n is late by up to n steps (+1.68 ms at the 20th, 0.2 nA, dt 0.1)",
    ),
    Row(
        "frozen noise",
        lambda s: s.either("grid") and not s.either("unknown") and s.stimulus == "frozen noise",
        lambda s: Timing(_by_step(s, 2.0, 2.0, 3.0), _by_step(s, 0.9, 0.75, 0.65)),
        "fluctuating input locks the spikes of both to the same events: .99 within 2 ms at dt 0.1, "
        ".94 at 0.5, .91 within 3 ms at 1 (single trials, 5th percentile: .90, .75, .65)",
    ),
    Row(
        "other currents",
        lambda s: s.either("grid") and not s.either("unknown") and s.stimulus == "other",
        lambda s: Timing(2 * _step(s), 0.65, _step(s)),
        "rounding to the grid accumulates as under constant current, but noise or a changing "
        "current can turn a late spike into a missing one: .79 to 1.00 within n + 1 steps in 25 "
        "trials of 20 mean currents and noises (single trials: .99 in the middle, .68 at the 5th "
        "percentile; least of 5 trials .65)",
    ),
    Row(
        "unknown, one timestep",
        lambda s: s.step is not None and s.same_step,
        lambda s: Grid(0),
        "nothing was measured for this pair (a file of another program, or a backend not in the "
        "table), so that nothing is excused: every spike on the same grid point",
    ),
    Row(
        "unknown, two timesteps",
        lambda s: s.step is not None and not s.one_step,
        lambda s: Timing(_step(s), 1.0),
        "nothing was measured for this pair, and its timesteps differ: every spike must be there "
        "to within the longer one",
    ),
    Row(
        "unknown",
        lambda s: True,
        lambda s: Timing(0.01, 1.0),
        "nothing is known of at least one of the two, so that nothing is excused: every spike must "
        "be there to within 0.01 ms, less than any usual timestep",
    ),
)
"""The table, in the order in which it is searched."""


def default_policy(reference: RunFacts, other: RunFacts, condition: str) -> tuple[Policy, str]:
    """The policy for one condition of these two runs, and where it comes from.

    condition: its name in the reference.
    """
    situation = situation_of(reference, other, condition)
    row = next(row for row in ROWS if row.applies(situation))
    names = " and ".join(backend or "a file of unknown origin" for backend in situation.backends)
    where = f"default for {names}, {situation.stimulus} stimulus"
    if situation.step:
        where += f", dt {situation.step:g} ms"
    return row.policy(situation), f"{where} ({row.name}): {row.reason}"


def situation_of(reference: RunFacts, other: RunFacts, condition: str) -> Situation:
    """What the table is asked for one condition of two runs."""
    plan = reference.plan or other.plan
    steps = [run.timestep for run in (reference, other) if run.timestep]
    kinds = _kind(reference), _kind(other)
    stimulus = _stimulus(plan, condition)
    if stimulus == "unknown":
        kinds = "unknown", "unknown"
    neuron = plan.neuron if plan else None
    return Situation(
        backends=(reference.backend, other.backend),
        kinds=kinds,
        step=max(steps, default=None),
        same_step=len(steps) == 2 and abs(steps[0] - steps[1]) < 1e-9,
        one_step=len(steps) == 1,
        stimulus=stimulus,
        lif=neuron is None or neuron.cell_type in LIF_CELL_TYPES,
        cell=neuron.cell_type if neuron else "",
        tau_shift=_tau_shift(plan, condition) if stimulus == "constant" else 0.0,
    )


def _kind(run: RunFacts) -> str:
    if not run.ours or run.timestep is None:
        return "unknown"
    for kind, names in (("grid", ON_GRID), ("exact", OFF_GRID), ("fixed", FIXED)):
        if run.backend in names:
            return kind
    return "unknown"


def _stimulus(plan: Experiment | None, name: str) -> str:
    if plan is None:
        return "unknown"
    if plan.model is not None:
        return "network"
    condition = next((c for c in plan.conditions if c.name == name), None)
    if condition is None:
        return "unknown"
    currents = [c for c in condition.currents if getattr(c, "stdev", 1.0) > 0]
    if any(isinstance(c, NativeNoise) for c in currents):
        return "native noise"
    if any(isinstance(c, Noise) and c.shared for c in currents):
        return "frozen noise"
    if all(isinstance(c, (Constant, Noise)) for c in condition.currents) and not any(
        isinstance(c, Noise) for c in currents
    ):
        return "constant"
    return "other"


def _tau_shift(plan: Experiment | None, name: str) -> float:
    """By how much (ms, absolute) the interval changes with SpiNNaker's effective tau_m."""
    from analysis.lif import effective_tau
    from analysis.theory import lif_neuron, period

    if plan is None or plan.neuron is None or plan.neuron.cell_type not in LIF_CELL_TYPES:
        return 0.0
    neuron = lif_neuron(plan.neuron.cell_type, plan.neuron.parameters)
    current = sum(c.amplitude for c in plan.condition(name).currents if isinstance(c, Constant))
    interval = float(period(neuron, current)) - neuron.tau_refrac
    relative = effective_tau(neuron, plan.timestep) / neuron.tau_m - 1
    return abs(interval * relative) if interval < plan.duration else 0.0
