"""Each planted difference across seeds, currents, timesteps and recordings: exhaustive."""

from __future__ import annotations

import pytest

from analysis.compare import compare
from analysis.diagnosis import Cause
from tests import planted
from tests.planted import block

NO_NOISE = ("conditions.0.currents.1.stdev=0.0", "conditions.1.currents.1.stdev=0.0")
SETUPS = {
    "25 trials": ("trials=25",),
    "one trial": ("trials=1",),
    "without v": ("trials=3", "record.v=0"),
    "no private noise": ("trials=2", "record.v=0", *NO_NOISE),
    "one trial, no private noise": ("trials=1", "record.v=0", *NO_NOISE),
    "dt 0.5": ("trials=5", "timestep=0.5"),
    "dt 1": ("trials=5", "timestep=1", "record.v_interval=1"),
    "another cell": ("trials=10", "record.v=0", "neuron.parameters.tau_m=20",
                     "neuron.parameters.v_reset=-65"),
    "short": ("trials=50", "duration=500", "record.v=0"),
}  # fmt: skip
SEEDS = range(20, 32)

pytestmark = pytest.mark.slow


def step_of(setup: tuple[str, ...]) -> float:
    return next((float(s[9:]) for s in setup if s.startswith("timestep=")), 0.1)


def as_of(recording, run):
    return planted.replace(recording, experiment=run.experiment, digest=run.digest)


def found(run, other):
    return compare(block(run, "reference"), block(other, "other"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SETUPS)
def test_every_planted_difference_is_found(name, seed):
    setup = SETUPS[name]
    run = planted.run(*setup, seed=seed)
    duration = 500.0 if "duration=500" in setup else 1000.0
    tau_m = 20.2 if name == "another cell" else 30.3
    one_by_one = {
        Cause.CONSTANT_SHIFT: planted.shifted(run, step_of(setup)),
        Cause.SPIKES_DROPPED: planted.dropped(run, 0.01, seed),
        Cause.TRUNCATED: planted.truncated(run, 0.7 * duration),
    }
    if run.populations[0].size > 2:
        one_by_one[Cause.PERMUTED_NEURONS] = planted.permuted(run, seed)
    if "no private noise" not in name:
        one_by_one[Cause.DIFFERENT_NOISE] = as_of(planted.run(*setup, seed=seed + 1000), run)
    if step_of(setup) == 0.1:
        coarse = planted.run(*setup, "timestep=1", "record.v_interval=1", seed=seed)
        one_by_one[Cause.TIMESTEP] = as_of(coarse, run)
    for cause, other in one_by_one.items():
        assert found(run, other).diagnosis.causes[:1] == (cause,)
    for change in (f"tau_m={tau_m}", "v_thresh=-52.9"):
        other = planted.run(*setup, f"neuron.parameters.{change}", seed=seed, claims=setup)
        diagnosis = found(run, other).diagnosis
        assert diagnosis.causes[0] == Cause.PARAMETER
        assert change.partition("=")[0] in diagnosis.text()


@pytest.mark.parametrize("seed", range(100, 200))
def test_no_false_alarm(seed):
    setup = list(SETUPS.values())[seed % len(SETUPS)]
    equal = found(planted.run(*setup, seed=seed), planted.run(*setup, seed=seed))
    assert equal.passed and equal.diagnosis.findings == () and equal.diagnosis.first is None
