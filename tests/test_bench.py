"""The benchmark measures what it says, and the main job loads nothing that it does not use."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sample_runs import sample

from pynn_model.recording import Recording
from scripts import bench
from scripts.bench_report import Line, Table, alone, beside, text, verdict

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def measured():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_everything_asked_for_is_measured(measured):
    """Both sides of the comparison, every phase, memory, and each measure of the analysis."""
    against, by_phase, large, analysis, compared, faster, simulators, emulator = (
        {line["what"].strip(): line for line in table["lines"]} for table in measured["tables"]
    )
    goals = {what: line["goal"] for what, line in against.items() if line["goal"]}
    assert goals == {"whole job, wall time": 1.5, "simulation phase": 1.05}
    assert against["peak memory"]["ours"] > 50 and against["peak memory"]["bare"] > 50
    for phase in ("import", "build", "run", "collect"):
        assert by_phase[f"simulator's process: {phase}"]["bare"] > 0
    assert {"then: recording into a Neo block", "then: NIX", "then: figure"} <= set(by_phase)
    assert large["simulation phase, large"]["goal"] == 1.05
    assert large["spikes into a Neo block, in all:"]["goal"] == 0.5
    assert len(analysis) >= 10 and {line["goal"] for line in analysis.values()} == {1.0}
    assert compared["Victor–Purpura, all pairs"]["goal"] == 10.0
    assert compared["all measures"]["goal"] == faster["all measures"]["goal"] == 20.0
    parts = [line["ours"] for what, line in faster.items() if what != "all measures"]
    assert len(parts) >= 10 and faster["all measures"]["ours"] == pytest.approx(sum(parts))
    assert sum(line["bare"] is not None for line in compared.values()) == 5
    goals = {what.split(",")[0]: line["goal"] for what, line in simulators.items()}
    assert goals["exact"] == goals["exact-grid"] > 0
    assert goals["nest"] is None and goals["brian2"] is None
    assert [what.split(",")[0] for what in emulator] == ["spinnaker-emulator"]
    assert measured["machine"]["cores"] >= 1 and measured["machine"]["nest-simulator"]


def test_phases_are_parts_of_the_whole(measured):
    against, by_phase, *_ = (
        {line["what"]: line for line in table["lines"]} for table in measured["tables"]
    )
    whole = against["whole job, wall time"]["ours"]
    parts = [f"simulator's process: {name}" for name in ("import", "build", "run", "collect")]
    assert 0 < sum(by_phase[name]["ours"] for name in parts) < whole


def test_a_ratio_is_the_median_of_the_turns_ratios():
    """One turn in which the machine was slow for both sides does not move it."""
    line = beside("job", [1.0, 10.0, 1.2], [2.0, 20.0, 1.0], goal=0.9)
    assert (line.ours, line.bare, line.ratio) == (1.2, 2.0, 0.5)
    assert line.met is True


def test_a_missed_goal_is_said_with_how_much():
    missed = alone("reading", [{"load": 0.5, "block": 0.25}], "load", "block", goal=0.5)
    assert missed.met is False and missed.verdict() == "< 0.5 s: NOT met, 50.0% above"
    met = beside("job", [1.0], [1.0], goal=1.25)
    assert met.verdict() == "< 1.25 x: met, 20% below"
    tables = [Table("title", [missed, met, Line("free", 3.0)])]
    assert "0.750 s" in text(tables[0]) and "NOT met" in text(tables[0])
    assert verdict(tables) == "1 of 2 goals is not met: reading."
    assert verdict([Table("", [met])]) == "The goal is met."


def test_a_comparison_of_different_spikes_is_void(tmp_path):
    recording = sample("mainen_sejnowski", "trials=3", "duration=200.0", "record.v=0")
    arrays = {}
    for number, population in enumerate(recording.populations):
        arrays[f"times_{number}"] = population.spike_times.copy()
        arrays[f"senders_{number}"] = population.spike_indices
    np.savez(tmp_path / "same.npz", **arrays)
    bench._require_same_spikes(recording, tmp_path / "same.npz")
    arrays["times_1"][2] += 0.1  # one spike, one step late
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(bench.BenchmarkError, match=r"void.*'noise'"):
        bench._require_same_spikes(recording, tmp_path / "other.npz")
    fewer = replace(
        recording.populations[0], spike_times=np.zeros(0), spike_indices=np.zeros(0, int)
    )
    changed = replace(recording, populations=(fewer, recording.populations[1]))
    assert isinstance(changed, Recording)
    with pytest.raises(bench.BenchmarkError, match="'dc'"):
        bench._require_same_spikes(changed, tmp_path / "same.npz")


# --- what is imported --------------------------------------------------------------------------


def loaded(program):
    """The top-level modules, and matplotlib's and Neo's own, in a process that ran a program."""
    report = "import sys; print('LOADED', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{report}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("LOADED")[1].split())


SIMULATORS = {"nest", "pyNN", "neuron", "brian2"}


def test_until_the_simulator_runs_nothing_heavy_is_loaded():
    """The simulator's process is started first; Neo and matplotlib come while it works."""
    modules = loaded("import scripts.run")
    heavy = {"neo", "quantities", "matplotlib", "scipy", "elephant", "h5py", "analysis"}
    assert not modules & (heavy | SIMULATORS)


def test_reading_and_drawing_load_neither_simulators_nor_libraries_of_other_things(tmp_path):
    path = tmp_path / "recording.npz"
    sample("mainen_sejnowski", "trials=3", "duration=200.0").save(str(path))
    program = (
        "from pathlib import Path; from analysis.blocks import load_block\n"
        "from scripts import products\n"
        f"block = load_block({str(path)!r}); products.table(block)\n"
        f"products.draw(block, Path({str(tmp_path)!r}), ('png',), main_only=True)"
    )
    modules = loaded(program)
    assert "matplotlib.figure" in modules and "neo" in modules
    unused = {"elephant", "scipy", "h5py", "nixio", "pandas", "matplotlib.pyplot", "tkinter"}
    assert not modules & (unused | SIMULATORS)


def test_the_simulators_process_loads_its_own_simulator_only():
    """PyNN's own imports (Neo, SciPy, ...) are not ours to choose; those of the runner are."""
    assert not loaded("import pynn_model.runner") & (
        SIMULATORS | {"neo", "matplotlib", "scipy", "tomllib", "tomli_w"}
    )
    program = (
        "from pynn_model import files, runner\n"
        "runner.execute(files.load('mainen_sejnowski', ['trials=2', 'duration=20.0']), 'nest')"
    )
    modules = loaded(program)
    assert "pyNN.nest" in modules
    foreign = {"elephant", "nixio", "neuron", "brian2", "numba", "matplotlib.pyplot", "analysis"}
    if "csa" in modules:  # comes with sPyNNaker; PyNN imports it where it is, and it draws
        foreign.remove("matplotlib.pyplot")
    assert not modules & foreign
