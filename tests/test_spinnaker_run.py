"""What reaches SpiNNaker: each thing that it would silently get wrong is put right on the way."""

import fake_spynnaker
import numpy as np
import pytest
import spinnaker_device

from pynn_model import conventions, files, network, runner, stimulus
from pynn_model.conventions import SimulationError, spinnaker_limits
from pynn_model.conventions.on_spinnaker import HIGHEST_SEED, device_seed, step_lists
from pynn_model.conventions.sources import Steps

DT = 0.1
DURATION = 20.0
N = 200


@pytest.fixture
def machine(monkeypatch):
    return fake_spynnaker.install(monkeypatch)


@pytest.fixture
def simulator(machine):
    simulator = conventions.open_simulator("spiNNaker", timestep=DT, seed=3)
    simulator.setup()
    return simulator


def ticks(source):
    """As the host turns its times into ticks: it truncates."""
    return np.array([int(t * (1000 / 100)) for t in source.times])


def received(population, n_steps=N):
    """The current of every neuron and step, nA, as the cursors on a core play it."""
    total = np.zeros((n_steps, population.size))
    for source, indices in population.injected.items():
        amplitudes = np.array(source.amplitudes)
        at = ticks(source)
        assert at[0] >= 0
        assert np.all(np.diff(at) > 0)
        assert at[-1] >= n_steps  # so the cursor never runs past the end
        scaled = np.rint(amplitudes * 32768).astype(np.int64)
        played = spinnaker_device.played(at, scaled, len(indices), n_steps)
        total[:, indices] += played / 32768
    return total


def population(simulator, size=3):
    return simulator.sim.Population(size, simulator.sim.IF_curr_exp(), label="cells")


def test_a_source_left_without_a_stop_is_active_to_the_end(simulator):
    cells = population(simulator)
    simulator.sim.DCSource(amplitude=0.5).inject_into(cells)
    simulator.run(DURATION)
    assert np.array_equal(received(cells), np.full((N, 3), 0.5))


def test_ac_has_its_frequency_at_any_timestep(simulator):
    cells = population(simulator)
    simulator.sim.ACSource(amplitude=0.5, frequency=100.0, start=5.0).inject_into(cells)
    simulator.run(DURATION)
    t = np.arange(N) * DT
    expected = np.where(t < 5, 0, 0.5 * np.sin(2 * np.pi * 0.1 * (t - 5)))
    assert np.allclose(received(cells), expected[:, None], atol=1 / 32768)


@pytest.mark.parametrize("make", ["DCSource(amplitude=-0.25)", "ACSource(offset=-0.25)"])
def test_what_is_negative_is_a_step_source(simulator, make):
    cells = population(simulator)
    eval("sim." + make, {"sim": simulator.sim}).inject_into(cells)
    simulator.run(DURATION)
    assert received(cells).min() < -0.2


@pytest.mark.parametrize("times", [[0.0, 5.0, 3.0], [0.0, 0.0], [-1.0, 5.0]])
def test_times_that_would_be_delayed_are_refused(simulator, times):
    with pytest.raises(ValueError, match="times"):
        simulator.sim.StepCurrentSource(times=times, amplitudes=[0.1] * len(times))


def test_lengths_that_differ_are_refused(simulator):
    with pytest.raises(ValueError, match="2 times but 1"):
        simulator.sim.StepCurrentSource(times=[0.0, 1.0], amplitudes=[0.1])


def test_of_several_entries_in_one_tick_the_last_one_counts(simulator):
    cells = population(simulator)
    source = simulator.sim.StepCurrentSource(
        times=np.array([1.0, 1.01, 1.02, 2.0]), amplitudes=np.array([0.1, 0.2, 0.25, 0.0])
    )
    source.inject_into(cells)
    simulator.run(DURATION)
    assert np.array_equal(np.unique(received(cells)), [0, 0.25])
    assert np.all(received(cells)[10:20] == 0.25)


def test_one_source_in_two_views_reaches_both(simulator):
    cells = population(simulator)
    source = simulator.sim.DCSource(amplitude=0.5)
    source.inject_into(cells[0:1])
    source.inject_into(cells[2:3])
    simulator.run(DURATION)
    assert received(cells)[0].tolist() == [0.5, 0, 0.5]


def test_a_list_of_cells_and_an_assembly_receive_currents(simulator):
    one, other = population(simulator), population(simulator)
    simulator.sim.DCSource(amplitude=0.5).inject_into([one[0], one[1]])
    simulator.sim.DCSource(amplitude=0.25).inject_into(fake_spynnaker.Assembly(one, other))
    simulator.run(DURATION)
    assert received(one)[0].tolist() == [0.75, 0.75, 0.25]
    assert received(other)[0].tolist() == [0.25] * 3


def test_a_spike_source_takes_no_current(simulator):
    source = simulator.sim.Population(2, simulator.sim.SpikeSourceArray(), label="source")
    with pytest.raises(TypeError, match="spike source"):
        simulator.sim.DCSource().inject_into(source)


def test_there_is_one_run_and_it_is_never_in_pieces(simulator, machine):
    module, config = machine
    simulator.run(DURATION)
    assert config["Buffers", "use_auto_pause_and_resume"] == "False"
    assert module.runs == [DURATION]
    with pytest.raises(SimulationError, match="one run"):
        simulator.run(DURATION)


def test_a_step_of_the_machine_is_a_millisecond(simulator, machine):
    assert machine[1]["setup"] == {"timestep": DT, "time_scale_factor": 10}


@pytest.mark.parametrize("timestep", [0.05, 0.12345, 2.0])
def test_a_timestep_of_no_known_arithmetic_is_refused(machine, timestep):
    simulator = conventions.open_simulator("spiNNaker", timestep=timestep, seed=3)
    with pytest.raises(SimulationError, match=rf"0\.1 to 1 ms, .*not {timestep:g} ms"):
        simulator.setup()


def test_a_timestep_that_a_machine_does_not_keep_is_noted(machine):
    simulator = conventions.open_simulator("spiNNaker", timestep=0.5, seed=3)
    simulator.setup()
    assert any("0.5 ms works in software" in note for note in simulator.notes)


def test_each_neuron_has_noise_and_a_seed_of_its_own(simulator):
    cells = population(simulator, 300)
    for mean in (0.0, 0.5):
        simulator.sim.NoisyCurrentSource(mean=mean, stdev=0.1, dt=DT, start=1.0).inject_into(cells)
    simulator.run(DURATION)
    assert len(cells.injected) == 600
    assert sorted(i for (i,) in cells.injected.values()) == sorted([*range(300)] * 2)
    assert {(s.start, s.stop, s.dt) for s in cells.injected} == {(1.0, DURATION, DT)}
    seeds = {tuple(source.seed) for source in cells.injected}
    assert len(seeds) == 600
    for x, y, z, c in seeds:
        assert y != 0
        assert 1 <= c <= HIGHEST_SEED
        assert 0 <= min(x, z) <= max(x, y, z) < 2**32
    assert device_seed((3, 1, 0)) == device_seed((3, 1, 0))


def test_noise_the_machine_refuses_is_refused_with_its_numbers(simulator):
    cells = population(simulator)
    simulator.sim.NoisyCurrentSource(mean=-0.1, stdev=0.1, dt=DT).inject_into(cells)
    with pytest.raises(SimulationError, match=r"mean = -0\.1"):
        simulator.run(DURATION)


def test_too_many_entries_are_refused_before_the_run(simulator, machine):
    cells = population(simulator)
    simulator.sim.ACSource(amplitude=0.5).inject_into(cells)
    with pytest.raises(SimulationError, match="10001 entries"):
        simulator.run(1000.0)
    assert machine[0].runs == []


def test_spikes_are_stamped_with_the_end_of_their_step(simulator):
    """Measured: 27.2 ms on SpiNNaker is 27.3 ms on NEST."""
    cells = population(simulator)
    simulator.record(cells, True, [], DT)
    simulator.run(100.0)
    cells.spikes = {1: [27.2, 46.5], 0: [0.0, 99.9]}
    times, index = simulator.spikes(cells)
    assert times.tolist() == [0.1, 100.0, 27.3, 46.6]
    assert index.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("timestep", [0.1, 1.0])
def test_times_become_the_ticks_they_are(timestep):
    k = np.arange(1_000_000)
    times, amplitudes = step_lists(Steps(k, np.zeros(len(k))), timestep, len(k))
    per_ms = 1000 / round(1000 * timestep)
    assert [int(t * per_ms) for t in times[:-1]] == k.tolist()
    assert int(times[-1] * per_ms) > len(k)
    assert len(times) == len(amplitudes)


@pytest.mark.parametrize("name", ["mainen_sejnowski", "fi_curve"])
def test_every_neuron_receives_its_current(simulator, machine, name):
    changes = ["duration=60.0"] if name == "fi_curve" else ["duration=200.0"]
    experiment = files.load(name, changes)
    built = network.build(simulator.sim, experiment)
    simulator.run(experiment.duration)
    for condition in experiment.conditions[::7]:
        cells = built[condition.name]
        expected = np.tile(stimulus.shared_current(experiment, condition), (cells.size, 1))
        if stimulus.has_private(condition):
            expected += stimulus.private_currents(
                experiment, condition, list(range(experiment.trials))
            )
        difference = np.abs(received(cells, experiment.n_steps) - expected.T)
        assert difference.max() <= 0.51 / 32768  # rounded once, after the sum


def test_neurons_per_core_follow_from_the_sources(simulator):
    """25 neurons with a source of 1001 entries each: 6 fit by the measured table, so 5 cores."""
    experiment = files.load("mainen_sejnowski")
    built = network.build(simulator.sim, experiment)
    simulator.run(experiment.duration)
    assert [cells.per_core for cells in built.values()] == [5, 5]


def test_a_long_shared_and_a_short_private_current_stay_two_sources(simulator):
    cells = population(simulator, 20)
    simulator.sim.ACSource(amplitude=0.5).inject_into(cells)
    for k in range(20):
        simulator.sim.DCSource(amplitude=0.1 * k).inject_into(cells[k : k + 1])
    simulator.run(500.0)
    assert len(cells.injected) == 21
    assert cells.per_core == 20
    assert np.allclose(received(cells, 5000)[:, 19] - received(cells, 5000)[:, 0], 1.9, atol=1e-4)


def test_a_virtual_board_is_no_machine(monkeypatch):
    fake_spynnaker.install(monkeypatch, virtual=True)
    simulator = conventions.open_simulator("spiNNaker", timestep=DT, seed=3)
    with pytest.raises(SimulationError, match="spiNNaker-virtual"):
        simulator.setup()


def test_when_told_so_a_virtual_board_gives_an_empty_recording_that_says_why(monkeypatch):
    _, config = fake_spynnaker.install(monkeypatch)
    monkeypatch.setattr(conventions.importlib, "import_module", virtual_is_the_same_module)
    recording = runner.execute(
        files.load("mainen_sejnowski", ["duration=50.0"]), "spiNNaker-virtual"
    )
    assert config["Machine", "virtual_board"] == "True"
    assert [len(p.spike_times) for p in recording.populations] == [0, 0]
    assert [p.v.shape for p in recording.populations] == [(0, 25), (0, 25)]
    assert any("nothing was simulated" in note for note in recording.provenance["notes"])
    assert recording.provenance["effective_parameters"]["dc"]["celltype"] == "IF_curr_exp"


def virtual_is_the_same_module(name, package=None, real=conventions.importlib.import_module):
    assert name != "pyNN.spiNNaker-virtual"
    return real(name, package)


# --- the arithmetic of sizes ---------------------------------------------------------------------


def shared(entries, neurons):
    return spinnaker_limits.Load({0: entries}, [(0,)] * neurons)


def private(entries, neurons):
    return spinnaker_limits.Load(
        dict.fromkeys(range(neurons), entries), [(k,) for k in range(neurons)]
    )


@pytest.mark.parametrize(
    ("load", "neurons", "entries"),
    [(shared, n, e) for n, e in [(1, 6920), (25, 6530), (100, 5309), (256, 2838)]]
    + [(private, n, e) for n, e in [(25, 256), (100, 48), (256, 6)]],
)
def test_the_measured_sizes_fit_and_one_entry_more_does_not(load, neurons, entries):
    """The largest sources that a core held when its machine code was executed."""
    assert spinnaker_limits.fits(load(entries, neurons), neurons)
    assert not spinnaker_limits.fits(load(entries + 1, neurons), neurons)


def test_between_the_measured_numbers_the_memory_falls_and_stays_below_the_line():
    memory = [spinnaker_limits.source_memory(n) for n in range(1, 257)]
    assert sorted(memory, reverse=True) == memory
    line = np.interp(50, [25, 100], [6530, 5309]) * 8 + 40
    assert line - 8 * 17 <= memory[49] < line


def test_the_measured_times_of_a_tick():
    """86 µs with 100 neurons, 207 µs with 256, each with a step source."""
    assert spinnaker_limits.tick_time(100) == pytest.approx(86, abs=0.5)
    assert spinnaker_limits.tick_time(256) == pytest.approx(207, abs=0.5)
