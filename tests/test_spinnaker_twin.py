"""The twin against recorded runs of SpiNNaker's machine code, and as a PyNN module."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import spinnaker_cases

import backends.spinnaker.twin as sim
from backends.simulators.common import Unsupported
from backends.spinnaker.twin import SpiNNakerWarning, computing

TRACES = Path(__file__).parent / "data" / "spinnaker_traces"
CELL = {
    "tau_m": 20.0,
    "cm": 1.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "tau_refrac": 2.0,
}
SEED = (123456789, 987654321, 43219876, 6543217)
ALWAYS = {"start": 0.0, "stop": 1e6}


def population(size=2, **changes):
    cells = sim.Population(size, sim.IF_curr_exp(**{**CELL, **changes}), label="cells")
    cells.record(["spikes", "v"])
    return cells


def v(cells):
    """Numbers of a core, (ticks, neurons)."""
    (signal,) = cells.get_data("v").segments[-1].analogsignals
    return np.rint(np.asarray(signal.magnitude) * 32768).astype(np.int64)


def ticks(cells, timestep=1.0):
    trains = cells.get_data("spikes").segments[-1].spiketrains
    return [np.rint(np.asarray(t.magnitude) / timestep).astype(int).tolist() for t in trains]


def currents(cells):
    """nA, the current behind each step of v of the plain cell, (ticks − 1, neurons)."""
    x = v(cells) / 32768
    decay = 31170 / 32768
    return ((x[1:] - decay * x[:-1]) / (1 - decay) + 65) / 20


def none_is_safe(stretch, cells, largest):
    return np.zeros(len(cells), bool)


@pytest.fixture
def one_ms():
    sim.setup(timestep=1.0)


# --- recorded runs -------------------------------------------------------------------------------


def of_trace(case):
    sources = []
    for source in case["sources"]:
        given = {k: x for k, x in source.items() if k not in ("kind", "seed")}
        sources.append(spinnaker_cases.Injected(source["kind"], given, source.get("seed")))
    cells = spinnaker_cases.Case(case["n"], None, case["params"], case["v_init"], sources)
    ticks = round(case["T"] / case["dt"])
    return spinnaker_cases.Batch(case["dt"], ticks, [cells])


@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
@pytest.mark.parametrize("kernel", ["quick", "careful"])
@pytest.mark.parametrize("trace", sorted(path.stem for path in TRACES.glob("c*.json")))
def test_a_recorded_run_is_reproduced_to_the_bit(monkeypatch, trace, kernel):
    if kernel == "careful":
        monkeypatch.setattr(computing, "_safe", none_is_safe)
    recorded = json.loads((TRACES / f"{trace}.json").read_text(encoding="utf-8"))
    ((potentials, spikes),) = spinnaker_cases.play(sim, of_trace(recorded["case"]))
    assert np.array_equal(potentials.T, recorded["v_raw"])
    assert spikes == recorded["spike_ticks"]


@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
def test_vector_and_careful_kernels_agree(monkeypatch):
    """Cells that nothing can wrap in go the quick way; both ways are the same arithmetic."""
    batch = spinnaker_cases.batch(4, cases=20)
    quick = spinnaker_cases.play(sim, batch)
    monkeypatch.setattr(computing, "_safe", none_is_safe)
    monkeypatch.setattr(computing, "OWN", 64)  # many pieces
    careful = spinnaker_cases.play(sim, batch)
    assert sum(len(train) for _, spikes in quick for train in spikes) > 100
    for (a, fired), (b, also) in zip(quick, careful, strict=True):
        assert np.array_equal(a, b)
        assert fired == also


def test_a_large_population_is_many_small_ones(monkeypatch):
    monkeypatch.setattr(computing, "BLOCK", 7)
    monkeypatch.setattr(computing, "SPIKES", 77)
    rng = np.random.default_rng(1)
    tau, start = rng.uniform(5, 40, 40), rng.uniform(-65, -50, 40)
    times = np.arange(0.0, 303.0, 3.0)
    steps = {"times": times.tolist(), "amplitudes": rng.normal(1.2, 1.0, len(times)).tolist()}
    found = []
    for parts in ([slice(0, 40)], [slice(0, 13), slice(13, 40)]):
        sim.setup(timestep=1.0)
        cells = []
        for part in parts:
            some = population(part.stop - part.start, tau_m=tau[part])
            some.initialize(v=start[part])
            sim.StepCurrentSource(**steps).inject_into(some)
            cells.append(some)
        sim.run(300.0)
        found.append(
            (np.concatenate([v(c) for c in cells], axis=1), [t for c in cells for t in ticks(c)])
        )
    assert np.array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert sum(map(len, found[0][1])) > 200


# --- what PyNN gives back ------------------------------------------------------------------------


def test_v_begins_with_the_initial_value_and_has_none_of_the_end(one_ms):
    cells = population()
    cells.initialize(v=[-60.0, -61.5])
    sim.run(10.0)
    (signal,) = cells.get_data("v").segments[0].analogsignals
    assert signal.shape == (10, 2)
    assert signal[0].magnitude.tolist() == [-60.0, -61.5]
    assert float(signal.t_start) == 0.0
    assert sim.get_current_time() == 10.0


def test_a_spike_is_stamped_with_the_start_of_its_tick(one_ms):
    cells = population(i_offset=1.3)
    sim.run(60.0)
    # v reaches the threshold in tick 17: SpiNNaker says 17 ms, NEST 18.
    assert ticks(cells)[0][0] == 17
    assert v(cells)[18, 0] == -65 * 32768


def test_spike_times_are_products_as_those_of_spynnaker():
    sim.setup(timestep=0.1, time_scale_factor=10)
    cells = population(1, v_thresh=-65.0, tau_refrac=0.0)
    with pytest.warns(SpiNNakerWarning, match="fires at every tick"):
        sim.run(1.0)
    (train,) = cells.get_data("spikes").segments[0].spiketrains
    assert train.magnitude.tolist() == [tick * 0.1 for tick in range(10)]


def test_v_of_some_cells_now_and_then(one_ms):
    cells = sim.Population(5, sim.IF_curr_exp(**CELL))
    cells.initialize(v=[-60.0, -59.0, -58.0, -57.0, -56.0])
    cells[[1, 3]].record("v", sampling_interval=4.0)
    sim.run(10.0)
    (signal,) = cells.get_data("v").segments[0].analogsignals
    assert signal.array_annotations["channel_index"].tolist() == [1, 3]
    assert signal.shape == (3, 2)
    assert signal[0].magnitude.tolist() == [-59.0, -57.0]
    sim.setup(timestep=1.0)
    whole = population(5)
    whole.initialize(v=[-60.0, -59.0, -58.0, -57.0, -56.0])
    sim.run(10.0)
    assert np.array_equal(v(whole)[::4, [1, 3]], np.rint(signal.magnitude * 32768))


def test_runs_without_sources_follow_one_another(one_ms):
    cells = population(i_offset=1.3)
    sim.run(33.0)
    sim.run(27.0)
    pieces, fired = v(cells), ticks(cells)
    sim.setup(timestep=1.0)
    cells = population(i_offset=1.3)
    sim.run_until(60.0)
    assert np.array_equal(pieces, v(cells))
    assert fired == ticks(cells)


def test_reset_begins_again(one_ms):
    cells = population()
    sim.NoisyCurrentSource(mean=1.0, stdev=1.0, start=0.0, stop=50.0, dt=1.0)
    noise = sim.NoisyCurrentSource(mean=1.0, stdev=1.0, start=0.0, stop=50.0, dt=1.0)
    noise.set_parameters(seed=SEED)
    noise.inject_into(cells)
    sim.run(50.0)
    first = v(cells)
    sim.reset()
    sim.run(50.0)
    assert np.array_equal(first, v(cells))


def test_synaptic_currents_of_the_beginning_decay(one_ms):
    cells = population()
    cells.initialize(isyn_exc=[1.0, 0.0], isyn_inh=[0.0, 1.0])
    sim.run(40.0)
    found = currents(cells)
    expected = np.exp(-np.arange(39) / 5)
    assert found[:, 0] == pytest.approx(expected, abs=2e-3)
    assert found[:, 1] == pytest.approx(-expected, abs=2e-3)


def test_neurons_on_different_cores(one_ms):
    sim.set_number_of_neurons_per_core(sim.IF_curr_exp, 2)
    cells = population(4)
    noise = sim.NoisyCurrentSource(mean=1.0, stdev=1.0, start=0.0, stop=50.0, dt=1.0)
    noise.set_parameters(seed=SEED)
    noise.inject_into(cells)
    with pytest.warns(SpiNNakerWarning, match="2 cores, all with the same seed"):
        sim.run(50.0)
    found = v(cells)
    assert np.array_equal(found[:, :2], found[:, 2:])
    assert not np.array_equal(found[:, 0], found[:, 1])


# --- currents ------------------------------------------------------------------------------------


def test_a_source_is_on_from_start_to_stop(one_ms):
    cells = population(3)
    sim.DCSource(amplitude=0.5, start=3.0, stop=6.9).inject_into(cells[0:2])
    sim.DCSource(amplitude=0.25, start=5.0, stop=1e12).inject_into(cells[1])
    sim.run(12.0)
    found = np.round(currents(cells), 3)
    assert found[:, 0].tolist() == [0, 0, 0, 0.5, 0.5, 0.5, 0, 0, 0, 0, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 0.5, 0.5, 0.75, *[0.25] * 5]
    assert not found[:, 2].any()


def test_a_source_with_a_start_before_zero_is_never_on(one_ms):
    """A core reads the time as a number without a sign."""
    cells = population()
    sim.DCSource(amplitude=0.5, start=-5.0, stop=50.0).inject_into(cells)
    with pytest.warns(SpiNNakerWarning, match="never on"):
        sim.run(12.0)
    assert not np.any(np.diff(v(cells), axis=0))


def test_a_second_run_begins_the_sources_anew(one_ms):
    """As the machine code did: two neurons, 20 ticks twice."""
    cells = population()
    times, amplitudes = [3.0, 8.0, 15.0, 17.0, 30.0, 99.0], [1.0, 0.5, 0.25, 2.0, -1.0, 0.0]
    sim.StepCurrentSource(times=times, amplitudes=amplitudes).inject_into(cells)
    sim.run(20.0)
    with pytest.warns(SpiNNakerWarning, match="second run"):
        sim.run(20.0)
    found = v(cells)
    assert found[[19, 20, 39]].tolist() == [
        [-1828227, -1828227],
        [-1779019, -1779019],
        [-2287858, -2250976],
    ]


def test_noise_repeats_in_a_second_run(one_ms):
    """As the machine code did: two neurons, 20 ticks twice."""
    cells = population()
    noise = sim.NoisyCurrentSource(mean=0.5, stdev=0.2, start=5.0, stop=35.0, dt=1.0)
    noise.set_parameters(seed=SEED)
    noise.inject_into(cells)
    sim.run(20.0)
    with pytest.warns(SpiNNakerWarning, match="noise repeats"):
        sim.run(20.0)
    assert v(cells)[[19, 20, 39]].tolist() == [
        [-1994627, -1958316],
        [-1993078, -1943977],
        [-1964953, -1905762],
    ]


def test_a_start_that_is_set_later_is_in_ticks():
    sim.setup(timestep=0.1, time_scale_factor=10)
    cells = population(1)
    source = sim.DCSource(amplitude=0.5, start=0.0, stop=5.0)
    source.set_parameters(start=3, stop=6)
    source.inject_into(cells)
    sim.run(1.2)
    rising = np.diff(v(cells)[:, 0]) > 0
    assert np.flatnonzero(rising).tolist() == [3, 4, 5]


def test_noise_without_a_seed_follows_from_that_of_setup():
    found = []
    for seed in (1, 1, 2):
        sim.setup(timestep=1.0, rng_seed=seed)
        cells = population(1)
        sim.NoisyCurrentSource(mean=0.5, stdev=0.2, **ALWAYS, dt=1.0).inject_into(cells)
        with pytest.warns(SpiNNakerWarning, match="no seed was given"):
            sim.run(20.0)
        found.append(v(cells))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


# --- the host's times ----------------------------------------------------------------------------


def test_a_run_is_rounded_up_as_spynnaker_does_it():
    sim.setup(timestep=0.1, time_scale_factor=10)
    sim.run(0.3)
    assert sim.get_current_time() == 0.3
    with pytest.warns(SpiNNakerWarning, match="takes 4 ticks"):
        sim.run(3 * 0.1)  # which is a little more than three times 0.1
    assert sim.get_current_time() == 0.7


def test_a_timestep_is_whole_microseconds():
    with pytest.warns(SpiNNakerWarning, match=r"0\.063 ms"):
        sim.setup(timestep=0.0625)
    assert sim.get_time_step() == 0.063


# --- warnings of what SpiNNaker does wrong -------------------------------------------------------


def step(times, amplitudes=None):
    return sim.StepCurrentSource(times=times, amplitudes=amplitudes or [0.1] * len(times))


FAULTS = {
    "never on": lambda cells: sim.DCSource(amplitude=1.0).inject_into(cells),
    "used up at tick 5, before the end of the run": lambda cells: step([5.0]).inject_into(cells),
    "2 of 4 entries do not act at their time": lambda cells: step([5, 5.5, 5.6, 99]).inject_into(
        cells
    ),
    "blocks all that follow": lambda cells: step([-3.0, 5.0, 99.0]).inject_into(cells),
    "lie just before a tick": lambda cells: step([4.9999999, 99.0]).inject_into(cells),
    "wrapped, changing their sign": lambda cells: step(
        [5.0, 6.0, 99.0], [5000.0, 0, 0]
    ).inject_into(cells),
    "not below v_thresh": lambda cells: cells.set(v_reset=-50.0),
    "would stop with an error": lambda cells: step(np.arange(9000.0).tolist()).inject_into(cells),
}


@pytest.mark.filterwarnings("ignore::backends.spinnaker.twin.SpiNNakerWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_when_it_happens(one_ms, fault):
    cells = population()
    FAULTS[fault](cells)
    with pytest.warns(SpiNNakerWarning, match=fault):
        sim.run(20.0)


def test_a_difference_that_wraps_is_told(one_ms):
    """Towards 60000 mV from -60000 mV: each is a number of a core, their difference is not."""
    cells = population(i_offset=3003.0)
    cells.initialize(v=-60000.0)
    with pytest.warns(SpiNNakerWarning, match="wrapped, changing their sign"):
        sim.run(1.0)


def test_a_warning_points_to_the_users_line(one_ms):
    FAULTS["never on"](population())
    with pytest.warns(SpiNNakerWarning) as told:
        sim.run(20.0)
    assert {warning.filename for warning in told} == {__file__}


def test_two_views_of_a_population(one_ms):
    cells = population(4)
    source = sim.DCSource(amplitude=0.5, **ALWAYS)
    source.inject_into(cells[0:2])
    source.inject_into(cells[2:3])
    with pytest.warns(SpiNNakerWarning, match="the last time"):
        sim.run(20.0)
    assert (v(cells)[-1] > -65 * 32768).tolist() == [False, False, True, False]


def test_an_ac_source_at_a_short_timestep():
    sim.setup(timestep=0.1, time_scale_factor=10)
    cells = population()
    sim.ACSource(amplitude=0.5, frequency=10.0, **ALWAYS).inject_into(cells)
    with pytest.warns(SpiNNakerWarning, match="10 times the frequency"):
        sim.run(1.0)


def test_a_core_that_is_too_slow():
    sim.setup(timestep=0.1)
    cells = population(256)
    sim.DCSource(amplitude=0.5, **ALWAYS).inject_into(cells)
    with pytest.warns(SpiNNakerWarning, match="a core of 256 neurons needs at least 207 µs"):
        sim.run(1.0)
    cells = None
    sim.setup(timestep=0.1, time_scale_factor=10)
    sim.DCSource(amplitude=0.5, **ALWAYS).inject_into(population(256))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sim.run(1.0)


# --- what SpiNNaker refuses ----------------------------------------------------------------------

REFUSED = {
    "amplitude = -1": lambda: sim.DCSource(amplitude=-1.0),
    "offset = -0.1": lambda: sim.ACSource(offset=-0.1),
    "mean = -0.2": lambda: sim.NoisyCurrentSource(mean=-0.2, dt=1.0),
    "dt = 2": lambda: sim.NoisyCurrentSource(mean=0.2, dt=2.0),
    "rng": lambda: sim.NoisyCurrentSource(mean=0.2, dt=1.0, rng=sim.NumpyRNG(1)),
    "as lists only": lambda: sim.StepCurrentSource(
        times=[1.0, 2.0], amplitudes=np.array([1.0, 2.0])
    ),
    "2 times but 1 amplitudes": lambda: step([1.0, 2.0], [1.0]),
    "amplitudes = 70000": lambda: step([1.0], [70000.0]),
    "has no parameter 'amp'": lambda: sim.DCSource(amplitude=1.0).set_parameters(amp=1.0),
    "not into a list": lambda: sim.DCSource(**ALWAYS).inject_into(list(population())),
    "not into Assembly": lambda: sim.DCSource(**ALWAYS).inject_into(population() + population()),
    "neurons per core = 300": lambda: population().set_max_atoms_per_core(300),
    "IF_cond_exp is not available": lambda: sim.IF_cond_exp(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_spinnaker_refuses_is_refused(one_ms, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        REFUSED[message]()


BUILT = {"v_rest": -1e5, "cm": 1e-5, "i_offset": 65536.0}


@pytest.mark.parametrize("name", BUILT)
def test_parameters_that_are_no_number_of_a_core_are_refused(one_ms, name):
    population(**{name: BUILT[name]})
    with pytest.raises(ValueError, match=f"{name} = "):
        sim.run(1.0)


def test_synapses_are_refused(one_ms):
    cells = population()
    sim.Projection(cells, cells, sim.AllToAllConnector(), sim.StaticSynapse(weight=1.0, delay=1.0))
    with pytest.raises(Unsupported, match="spinnaker-emulator"):
        sim.run(1.0)


def test_a_source_before_setup_is_refused():
    sim.simulator.state.injections = None
    with pytest.raises(Unsupported, match=r"call setup\(\)"):
        sim.DCSource(amplitude=1.0)


def test_other_variables_are_not_recorded(one_ms):
    from pyNN.errors import RecordingError

    with pytest.raises(RecordingError):
        population().record("w")
