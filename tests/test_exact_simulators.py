"""The exact simulators as PyNN modules: what a script may do with them."""

from __future__ import annotations

import numpy as np
import pytest
from pyNN.errors import ConnectionError, NonExistentParameterError

import backends.simulators.exact as exact
import backends.simulators.exact_grid as exact_grid
from backends.simulators.common import Unsupported
from pynn_model import conventions

pytestmark = pytest.mark.xdist_group("exact")  # its kernels are compiled once
BOTH = pytest.mark.parametrize("sim", [exact, exact_grid], ids=["exact", "exact-grid"])
CELL = {"tau_m": 20.0, "cm": 0.25, "v_reset": -66.0, "tau_refrac": 2.0, "i_offset": 0.15}


def network(sim, timestep=0.1, seed=3, **cell):
    """A recurrent network with every kind of input; returns its cells and its Poisson sources."""
    sim.setup(timestep=timestep, rng_seed=seed)
    rng = np.random.RandomState(1)
    cells = sim.Population(8, sim.IF_curr_exp(**{**CELL, **cell}), label="cells")
    cells.initialize(v=(-65 + 14 * rng.rand(8)).tolist())
    poisson = sim.Population(5, sim.SpikeSourcePoisson(rate=80.0), label="poisson")
    array = sim.Population(2, sim.SpikeSourceArray(spike_times=[[0.0, 20.3, 61.0], [33.33]]))
    for source, weight, receptor, delay in (
        (poisson, 0.2, "excitatory", 1.5),
        (array, -0.3, "inhibitory", 0.3),
        (cells, 0.1, "excitatory", 2.0),
    ):
        synapse = sim.StaticSynapse(weight=weight, delay=delay)
        connector = sim.AllToAllConnector()
        sim.Projection(source, cells, connector, synapse, receptor_type=receptor)
    sim.NoisyCurrentSource(mean=0.05, stdev=0.2, dt=1.0).inject_into(cells[:4])
    sim.ACSource(amplitude=0.1, frequency=20.0).inject_into(cells[2:6])
    sim.DCSource(amplitude=0.1, start=30.0, stop=60.0).inject_into(cells[5:])
    cells.record(["spikes", "v", "isyn_exc"])
    poisson.record("spikes")
    return cells, poisson


def trains(population, segment=-1):
    found = population.get_data("spikes").segments[segment].spiketrains
    return [np.asarray(train.magnitude) for train in found]


def signal(population, name, segment=-1):
    return population.get_data(name).segments[segment].filter(name=name)[0]


# --- running -----------------------------------------------------------------------------------


@BOTH
def test_a_run_in_pieces_is_the_run_in_one(sim):
    cells, poisson = network(sim)
    sim.run(120.0)
    whole = [*trains(cells), *trains(poisson)], signal(cells, "v").magnitude
    assert sum(map(len, whole[0][:8])) > 20
    assert sum(map(len, whole[0][8:])) > 20
    cells, poisson = network(sim)
    for piece in (0.1, 33.3, 0.2, 66.4, 20.0):
        sim.run(piece)
    assert sim.get_current_time() == 120.0
    for one, other in zip(whole[0], [*trains(cells), *trains(poisson)], strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(whole[1], signal(cells, "v").magnitude)


@BOTH
def test_reset_begins_a_new_segment_that_is_the_same(sim):
    cells, _ = network(sim)
    sim.run(50.0)
    sim.reset()
    assert sim.get_current_time() == 0.0
    sim.run_until(50.0)
    block = cells.get_data()
    assert len(block.segments) == 2
    for one, other in zip(trains(cells, 0), trains(cells, 1), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(signal(cells, "v", 0).magnitude, signal(cells, "v", 1).magnitude)


@BOTH
def test_another_seed_gives_other_poisson_spikes_and_noise(sim):
    cells, poisson = network(sim)
    sim.run(100.0)
    first = trains(poisson), signal(cells, "v").magnitude
    cells, poisson = network(sim, seed=4)
    sim.run(100.0)
    assert not any(np.array_equal(a, b) for a, b in zip(first[0], trains(poisson), strict=True))
    assert not np.array_equal(first[1], signal(cells, "v").magnitude)


@BOTH
def test_poisson_sources_have_their_rate_start_and_duration(sim):
    sim.setup(timestep=0.1)
    source = sim.Population(200, sim.SpikeSourcePoisson(rate=50.0, start=100.0, duration=500.0))
    source.record("spikes")
    sim.run(1000.0)
    times = np.concatenate(trains(source))
    assert len(times) == pytest.approx(200 * 25, abs=4 * np.sqrt(200 * 25))
    assert times.min() >= 100.0
    assert times.max() <= 600.0
    counts = np.array([len(train) for train in trains(source)])
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.4)


@BOTH
def test_what_changes_between_runs_counts_from_then_on(sim):
    sim.setup(timestep=0.1)
    cells = sim.Population(2, sim.IF_curr_exp(tau_m=10.0, cm=1.0), initial_values={"v": -65.0})
    source = sim.DCSource(amplitude=0.0)
    source.inject_into(cells[1:])
    cells.record("v")
    sim.run(10.0)
    cells[:1].set(v_rest=-70.0)
    source.amplitude = 0.5
    sim.run(200.0)
    cells[:1].initialize(v=-60.0)
    sim.run(10.0)
    v = signal(cells, "v").magnitude
    assert np.all(v[:101] == -65.0)
    assert v[2100] == pytest.approx([-70.0, -60.0], abs=1e-6)
    assert v[2200, 0] == pytest.approx(-70 + 10 * np.exp(-1))
    assert cells.get("v_rest").tolist() == [-70.0, -65.0]


def test_simulators_in_one_process_do_not_mix():
    exact.setup(timestep=0.1)
    cells = exact.Population(1, exact.IF_curr_exp(i_offset=2.0), initial_values={"v": -65.0})
    cells.record("spikes")
    exact_grid.setup(timestep=1.0)
    exact.run(20.0)
    assert exact_grid.get_current_time() == 0.0
    (train,) = trains(cells)
    assert len(train) > 0
    assert exact_grid.get_time_step() == 1.0


# --- recording ---------------------------------------------------------------------------------


@BOTH
def test_samples_begin_with_the_initial_value(sim):
    cells, _ = network(sim)
    sim.run(20.0)
    v = signal(cells, "v")
    assert v.shape == (201, 8)
    assert v[0].magnitude.tolist() == cells.initial_values["v"].evaluate().tolist()
    assert (v.t_start, v.sampling_period) == (0.0, 0.1)
    assert signal(cells, "isyn_exc").dimensionality.string == "nA"


@BOTH
def test_a_sampling_interval_and_a_view(sim):
    cells, _ = network(sim)
    sim.run(20.0)
    every = signal(cells, "v").magnitude
    cells, _ = network(sim)
    cells.record(None)
    view = cells[[1, 5]]
    view.record("v", sampling_interval=0.5)
    view.record("spikes")
    sim.run(7.3)
    sim.run(12.7)
    v = signal(view, "v")
    assert np.array_equal(v.magnitude, every[::5, [1, 5]])
    assert v.array_annotations["channel_index"].tolist() == [1, 5]
    annotations = [t.annotations for t in view.get_data("spikes").segments[0].spiketrains]
    assert [a["source_index"] for a in annotations] == [1, 5]
    assert set(view.get_spike_counts()) == {int(cells[1]), int(cells[5])}


@BOTH
def test_cleared_data_do_not_come_again(sim):
    cells, _ = network(sim)
    sim.run(60.0)
    whole = signal(cells, "v").magnitude
    cells, _ = network(sim)
    sim.run(30.0)
    cells.get_data(clear=True)
    sim.run(30.0)
    v = signal(cells, "v")
    assert v.t_start == 30.0
    assert np.array_equal(v.magnitude, whole[300:])
    assert all(np.all(train >= 30.0) for train in trains(cells))


def test_synaptic_current_is_what_arrived():
    exact_grid.setup(timestep=0.1)
    cells = exact_grid.Population(1, exact_grid.IF_curr_alpha(tau_syn_E=2.0))
    source = exact_grid.Population(1, exact_grid.SpikeSourceArray(spike_times=[3.0]))
    synapse = exact_grid.StaticSynapse(weight=0.4, delay=1.0)
    exact_grid.Projection(source, cells, exact_grid.OneToOneConnector(), synapse)
    cells.record("isyn_exc")
    exact_grid.run(20.0)
    t = np.arange(201) * 0.1 - 4.0
    expected = np.where(t > 0, 0.4 * t / 2.0 * np.exp(1 - t / 2.0), 0.0)
    assert signal(cells, "isyn_exc").magnitude[:, 0] == pytest.approx(expected, abs=1e-12)


# --- parameters, projections -------------------------------------------------------------------


@BOTH
def test_parameters_and_connections_can_be_read_back(sim):
    sim.setup(timestep=0.1, min_delay=0.2)
    cells = sim.Population(3, sim.IF_curr_exp(tau_m=[10.0, 20.0, 30.0], cm=0.5))
    assert cells.get(["tau_m", "cm"])[1] == 0.5
    assert cells[1].tau_m == 20.0
    cells[1].tau_m = 25.0
    assert cells[1:].get("tau_m").tolist() == [25.0, 30.0]
    synapse = sim.StaticSynapse(weight=0.1, delay="0.2 + 0.26*d")
    others = sim.Population(4, sim.IF_curr_exp())
    projection = sim.Projection(others, cells, sim.AllToAllConnector(), synapse)
    assert len(projection) == 12
    assert projection.get("weight", format="array").shape == (4, 3)
    delays = projection.get("delay", format="list", with_address=False)
    assert np.allclose(np.round(np.array(delays), 1), delays, rtol=0, atol=1e-12)
    projection.set(weight=0.3, delay=0.7)
    assert set(projection.get(["weight", "delay"], format="list", with_address=False)) == {
        (0.3, 0.7)
    }
    assert projection[0].weight == 0.3
    assert sim.get_min_delay() == 0.2


@BOTH
def test_an_assembly_connects_as_its_parts_do(sim):
    def spikes(together):
        sim.setup(timestep=0.1)
        sources = [sim.Population(2, sim.SpikeSourceArray(spike_times=[t])) for t in (5.0, 9.0)]
        cells = [sim.Population(2, sim.IF_curr_delta(cm=0.5)) for _ in range(2)]
        synapse = sim.StaticSynapse(weight=9.0, delay=0.5)
        if together:
            pairs = [(0, 0), (1, 3), (2, 1), (2, 3), (3, 3)]
            whole = sources[0] + sources[1], cells[0] + cells[1]
            sim.Projection(*whole, sim.FromListConnector(pairs), synapse)
        else:
            for pre, post, pairs in (
                (0, 0, [(0, 0)]),
                (0, 1, [(1, 1)]),
                (1, 0, [(0, 1)]),
                (1, 1, [(0, 1), (1, 1)]),
            ):
                connector = sim.FromListConnector(pairs)
                sim.Projection(sources[pre], cells[post], connector, synapse)
        for population in cells:
            population.record("spikes")
        sim.run(20.0)
        return [train.tolist() for population in cells for train in trains(population)]

    assert spikes(True) == spikes(False) == [[], [], [], [pytest.approx(9.5)]]


@BOTH
def test_an_event_at_the_end_of_a_refractory_period(sim):
    """It moves v off the grid, where the period has just ended; NEST's grid has it lost, too."""
    sim.setup(timestep=0.1)
    cells = sim.Population(1, sim.IF_curr_delta(tau_refrac=2.0))
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5.0, 7.0]))
    sim.Projection(
        source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=20.0, delay=0.1)
    )
    cells.record("spikes")
    sim.run(20.0)
    expected = [5.1, 7.1] if sim is exact else [5.1]
    assert trains(cells)[0] == pytest.approx(expected, abs=1e-9)


# --- what is refused ---------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "name", ["IF_cond_exp", "Izhikevich", "HH_cond_exp", "TsodyksMarkramSynapse", "STDPMechanism"]
)
def test_other_models_are_refused_by_name(sim, name):
    sim.setup()
    with pytest.raises(NotImplementedError, match=f"{name} is not available on exact"):
        getattr(sim, name)()
    assert name not in sim.list_standard_models()
    assert "IF_curr_alpha" in sim.list_standard_models()


@BOTH
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tau_m": 0.0}, "tau_m = 0 must be a finite number, greater than 0"),
        ({"tau_refrac": [2.0, -1.0]}, "tau_refrac = -1 must be .* at least 0"),
        ({"v_reset": -50.0}, "v_reset = -50 mV must be below v_thresh = -50 mV"),
        ({"i_offset": np.nan}, "i_offset = nan must be a finite number"),
    ],
)
def test_impossible_parameters_are_refused_before_anything_starts(sim, parameters, message):
    sim.setup()
    with pytest.raises(Unsupported, match=message):
        sim.Population(2, sim.IF_curr_exp(**parameters))
        sim.run(1.0)
    assert sim.get_current_time() == 0.0


@BOTH
def test_mistakes_are_named(sim):
    with pytest.warns(UserWarning, match=r"no use for these arguments of setup\(\): threads"):
        sim.setup(timestep=0.1, threads=2)
    cells = sim.Population(2, sim.IF_curr_exp())
    with pytest.raises(Unsupported, match=r"100\.05 ms is no multiple of the timestep, 0\.1 ms"):
        sim.run(100.05)
    with pytest.raises(Unsupported, match=r"sampling_interval = 0\.25 ms is no multiple"):
        cells.record("v", sampling_interval=0.25)
    with pytest.raises(Unsupported, match="no state variable 'w' to initialize"):
        cells.initialize(w=1.0)
    with pytest.raises(Unsupported, match="no state variable 'w' to initialize"):
        cells[:1].initialize(w=1.0)
    with pytest.raises(NonExistentParameterError):
        cells.get("tau_w")
    with pytest.raises(ConnectionError, match=r"a delay of 0\.02 ms is out of range"):
        sim.Projection(cells, cells, sim.AllToAllConnector(), sim.StaticSynapse(delay=0.02))
    with pytest.raises(Unsupported, match="spike_times = -1 must be a finite number, at least 0"):
        sim.Population(1, sim.SpikeSourceArray(spike_times=[-1.0]))
    sim.run(1.0)
    with pytest.raises(Unsupported, match=r"cannot be added between run\(\) and reset\(\)"):
        sim.Population(1, sim.IF_curr_exp())


# --- through the convention --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exact", "exact_grid"])
def test_the_convention_takes_it_without_corrections(name):
    simulator = conventions.open_simulator(f"backends.simulators.{name}", timestep=0.1, seed=5)
    simulator.setup()
    cells, _ = network(simulator.sim)
    cells.record(None)
    simulator.record(cells, True, [3, 1], 0.5)
    told = []
    simulator.run(100.0, told.append)
    times, indices = simulator.spikes(cells)
    expected = [np.sort(train) for train in trains(cells)]
    assert np.array_equal(times, np.concatenate(expected))
    assert np.array_equal(indices, np.repeat(np.arange(8), [len(t) for t in expected]))
    assert simulator.potentials(cells).shape == (200, 2)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10
    assert simulator.notes == [note for note in simulator.notes if "NoisyCurrentSource" in note]
    simulator.end()
