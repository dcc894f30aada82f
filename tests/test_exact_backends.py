"""The exact solution as a backend, and that the other simulators give what it gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

import backends
from backends import BACKENDS, UnsupportedExperiment, local
from pynn_model import files
from pynn_model.conventions import limits
from pynn_model.experiment import Experiment


def experiment(cell_type="IF_curr_exp", **changes):
    """Frozen and private noise into a few cells that differ in it; every value lasts 0.5 ms."""
    noise = {"kind": "noise", "spectrum": "ou", "tau": 3.0, "dt": 0.5}
    return Experiment.from_dict(
        {
            "name": "referee",
            "trials": 6,
            "duration": 300.0,
            "timestep": 0.1,
            "seed": 7,
            "neuron": {
                "cell_type": cell_type,
                "parameters": {
                    "tau_m": 30.0, "cm": 0.25, "v_rest": -70.0, "v_reset": -75.0,
                    "v_thresh": -53.0, "tau_refrac": 2.0,
                },
            },
            "record": {"spikes": True, "v": 3, "v_interval": 0.1},
            "conditions": [
                {
                    "name": "noise",
                    "currents": [
                        {**noise, "mean": 0.2, "stdev": 0.15, "shared": True},
                        {**noise, "stdev": 0.05, "shared": False},
                    ],
                },
                {"name": "dc", "currents": [{"kind": "constant", "amplitude": 0.2}]},
            ],
            **changes,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """run(backend, experiment): the populations of a run."""
    folder = tmp_path_factory.mktemp("runs")

    def populations(backend, experiment):
        return backends.get(backend, folder).submit(experiment).result().populations

    return populations


@pytest.mark.parametrize(
    ("backend", "v_within"),
    [
        pytest.param("nest", 1e-9, marks=pytest.mark.xdist_group("exact")),
        pytest.param("neuron", 1e-8, marks=pytest.mark.xdist_group("exact")),
        pytest.param("brian2", 1e-9, marks=pytest.mark.xdist_group("brian2")),
    ],
)
def test_simulators_on_the_grid_equal_exact_grid(backend, v_within, run):
    for exact, other in zip(
        run("exact-grid", experiment()), run(backend, experiment()), strict=True
    ):
        assert len(exact.spike_times) > 20
        assert np.array_equal(exact.spike_indices, other.spike_indices)
        assert np.array_equal(exact.spike_times, other.spike_times)
        np.testing.assert_allclose(exact.v, other.v, rtol=0, atol=v_within)


@pytest.mark.xdist_group("exact")
@pytest.mark.parametrize("cell_type", ["IF_curr_exp", "IF_curr_delta"])
def test_nest_off_the_grid_equals_exact(cell_type, run):
    for exact, nest in zip(
        run("exact", experiment(cell_type)),
        run("nest-precise", experiment(cell_type)),
        strict=True,
    ):
        assert len(exact.spike_times) > 20
        assert np.array_equal(exact.spike_indices, nest.spike_indices)
        np.testing.assert_allclose(exact.spike_times, nest.spike_times, rtol=0, atol=1e-6)
        np.testing.assert_allclose(exact.v, nest.v, rtol=0, atol=1e-6)


NETWORK = '''\
"""Spike sources and a recurrent population, excitation and inhibition, several delays."""
import numpy as np

PARAMETERS = {"cell_type": "IF_curr_exp", "weight": 0.15}


def build(sim, experiment):
    p = experiment.parameters
    rng = np.random.RandomState(3)
    cell = dict(tau_m=20.0, cm=0.25, v_rest=-65.0, v_reset=-66.0, v_thresh=-50.0)
    cell.update(tau_refrac=2.0, i_offset=0.17)
    if p["cell_type"] != "IF_curr_delta":
        cell.update(tau_syn_E=5.0, tau_syn_I=7.0)
    cells = sim.Population(12, getattr(sim, p["cell_type"])(**cell), label="cells")
    cells.initialize(v=(-65 + 12 * rng.rand(12)).tolist())
    grid = np.round(np.arange(50, 1400) * 0.1, 9)
    times = [np.sort(rng.choice(grid, 15, replace=False)).tolist() for _ in range(8)]
    sources = sim.Population(8, sim.SpikeSourceArray(spike_times=times), label="sources")
    for pre, receptor, factor, delay in (
        (sources, "excitatory", 3.0, 1.5),
        (sources, "inhibitory", -1.0, 2.5),
        (cells, "excitatory", 1.0, 3.0),
        (cells, "inhibitory", -1.0, 2.0),
    ):
        pairs = [
            (int(i), j) for j in range(12) for i in rng.choice(pre.size, 3, replace=False)
        ]
        synapse = sim.StaticSynapse(weight=factor * p["weight"], delay=delay)
        connector = sim.FromListConnector(pairs)
        sim.Projection(pre, cells, connector, synapse, receptor_type=receptor)
    return {"cells": cells}
'''


def network(**parameters):
    return Experiment.from_dict(
        {
            "name": "network",
            "duration": 150.0,
            "timestep": 0.1,
            "seed": 1,
            "record": {"spikes": True, "v": 12, "v_interval": 0.1},
            "model": {"file": "network.py", "source": NETWORK, "parameters": parameters},
        }
    )


@pytest.mark.xdist_group("exact")
@pytest.mark.parametrize(
    ("exact", "nest", "cell_type", "weight"),
    [
        ("exact-grid", "nest", "IF_curr_exp", 0.2),
        ("exact-grid", "nest", "IF_curr_alpha", 0.2),
        ("exact-grid", "nest", "IF_curr_delta", 1.0),
        ("exact", "nest-precise", "IF_curr_exp", 0.2),
        ("exact", "nest-precise", "IF_curr_delta", 1.0),
    ],
)
def test_a_network_is_the_same_on_nest(exact, nest, cell_type, weight, run):
    wanted = network(cell_type=cell_type, weight=weight)
    (one,), (other,) = run(exact, wanted), run(nest, wanted)
    assert len(one.spike_times) > 10
    assert np.array_equal(one.spike_indices, other.spike_indices)
    within = 0 if exact == "exact-grid" else 1e-6
    np.testing.assert_allclose(one.spike_times, other.spike_times, rtol=0, atol=within)
    np.testing.assert_allclose(one.v, other.v, rtol=0, atol=1e-9)


@pytest.mark.xdist_group("exact")
@pytest.mark.parametrize("name", ["exact", "exact-grid"])
def test_the_ready_network_runs(name, run):
    small = files.load("balanced_network", ("duration=200.0",))
    excitatory, inhibitory = run(name, small)
    assert 3 < len(excitatory.spike_times) / excitatory.size / 0.2 < 30
    assert len(inhibitory.spike_times) > 0


# --- as a backend ------------------------------------------------------------------------------


def test_a_change_of_the_simulators_code_makes_another_run(tmp_path, monkeypatch):
    code = tmp_path / "backends" / "simulators"
    code.mkdir(parents=True)
    (code / "exact.py").write_text("old")
    monkeypatch.setattr(local, "ROOT", tmp_path)
    backend = backends.get("exact", tmp_path)
    before = backend.run_id(experiment())
    assert backend.run_id(experiment()) == before
    (code / "exact.py").write_text("new")
    assert backend.run_id(experiment()) != before


@pytest.mark.parametrize("name", ["exact", "exact-grid"])
def test_what_has_no_closed_form_is_refused_before_it_starts(name, tmp_path):
    with pytest.raises(UnsupportedExperiment, match="IF_cond_exp has no closed solution"):
        backends.get(name, tmp_path).submit(experiment("IF_cond_exp"))
    assert not list(tmp_path.iterdir())
    assert any("IF_curr_alpha" in limit for limit in BACKENDS[name].limits)


def test_a_refractory_period_off_the_grid_is_a_note_only_on_the_grid():
    parameters = {"tau_refrac": 2.05}
    for module, noted in (("exact", 0), ("exact_grid", 1)):
        system = f"backends.simulators.{module}"
        assert len(limits.noted(system, "IF_curr_exp", 0.1, parameters)) == noted


@pytest.mark.xdist_group("exact")
def test_the_run_says_which_code_it_was(tmp_path):
    job = backends.get("exact", tmp_path).submit(experiment(duration=10.0))
    job.result()
    kept = json.loads((job.folder / "provenance.json").read_text())
    assert kept["distributions"]["backends.simulators"]
    assert kept["system"] == "backends.simulators.exact"
    assert not any("No corrections" in note for note in kept["notes"])
