"""How many ticks a run of the twin takes, counted with sPyNNaker's own float arithmetic."""

import pytest

import backends.spinnaker.twin as sim


@pytest.mark.parametrize(
    ("timestep", "times", "ticks"),
    [
        # sPyNNaker 7.4.1, measured: what is left of 191.1 after 127.39999999999999 is 91 ticks and
        # a last digit, which it rounds up.
        (0.7, [0.7 * 182, 0.7 * 91], 182 + 92),
        (0.5, [0.5 * 182, 0.5 * 91], 182 + 91),
        (1.0, [133.0, 66.5], 133 + 67),
    ],
)
@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
@pytest.mark.parametrize("until", [False, True])
def test_a_second_run_takes_what_is_left_by_spynnakers_floats(timestep, times, ticks, until):
    sim.setup(timestep=timestep)
    cells = sim.Population(1, sim.IF_curr_exp())
    cells.record("v")
    first, second = times
    sim.run(first)
    if until:
        sim.run_until(ticks * timestep if timestep == 1.0 else first + second)
    else:
        sim.run(second)
    (signal,) = cells.get_data("v").segments[0].analogsignals
    assert len(signal) == ticks


def test_a_time_that_is_over_cannot_be_run_until():
    sim.setup(timestep=1.0)
    sim.Population(1, sim.IF_curr_exp())
    sim.run(10.0)
    with pytest.raises(ValueError, match="9 ms, is in the past"):
        sim.run_until(9.0)
