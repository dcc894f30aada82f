"""Scripts for SpiNNaker on the emulated one, as a user runs them."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emulated import memory_folder

import backends
from backends import BACKENDS, BackendUnavailable, RunStore, UnsupportedExperiment
from pynn_model import files

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
pytestmark = pytest.mark.xdist_group("emulator")

PLAIN = """\
import sys
import numpy as np
import pyNN.spiNNaker as sim

sim.setup(timestep=1.0)
cells = sim.Population(3, sim.IF_curr_exp(tau_m=20.0, cm=1.0, i_offset=[0.0, 1.3, 0.0]))
source = sim.StepCurrentSource(times=[5.0, 40.0], amplitudes=[2.0, 0.0])
source.inject_into(cells[2:3])
cells.record(["spikes", "v"])
sim.run(50.0)
segment = cells.get_data().segments[0]
v = segment.analogsignals[0].magnitude
np.save("v.npy", v)
np.save("times.npy", segment.spiketrains[2].magnitude)
sim.end()
print("arguments:", sys.argv[1:])
sys.exit(7)
"""
ELSEWHERE = "[Machine]\nvirtual_board = True\nmachine_name = 127.0.0.2\nversion = 3\n"


@pytest.fixture
def folder():
    """Where a script runs."""
    with memory_folder() as found:
        (found / "work").mkdir()
        yield found / "work"


def environment(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "XDG_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(home)}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    temporary(folder).mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "backends.spinnaker.emulator", "--workers", "2", *arguments],
        cwd=folder,
        env={**environment(folder.parent / "home"), "TMPDIR": str(temporary(folder))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def temporary(folder: Path) -> Path:
    """Temporary files of this test's processes, and of no others that run at the same time."""
    return folder.parent / "tmp"


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """(exit status, output) of a script."""
    with start(folder, *arguments) as process:
        output, _ = process.communicate(timeout=300)
    return process.returncode, output


def test_an_unmodified_script_gets_what_a_core_computes(folder):
    (folder / "plain.py").write_text(PLAIN)
    # The user's own configuration leads elsewhere, and is neither followed nor changed.
    (folder / "spynnaker.cfg").write_text(ELSEWHERE)
    status, output = run(folder, "plain.py", "--one", "2")
    assert status == 7, output
    assert "arguments: ['--one', '2']" in output
    v = np.load(folder / "v.npy")
    assert v.shape == (50, 3)
    assert (v[:, 0] == -65.0).all()
    # 1.3 nA, 20 ms, 1 nF, in steps of 1 ms: what the machine code computes.
    assert (v[:3, 1] * 32768).tolist() == [-2129920, -2088372, -2048850]
    assert np.load(folder / "times.npy").tolist()
    assert set(os.listdir(folder)) == {"plain.py", "spynnaker.cfg", "v.npy", "times.npy", "reports"}
    assert not (folder.parent / "home" / ".spynnaker.cfg").exists()
    report = json.loads((folder / "reports" / "emulator.json").read_text())
    (core,) = report.values()
    assert core["ticks"] in (50, 51)  # it is done in the tick after the last one
    assert core["overruns"] == 0 < core["mean"] < core["cycles"]


TOO_MUCH = """\
import pyNN.spiNNaker as sim

sim.setup(timestep=1.0)
cells = sim.Population(100, sim.IF_curr_exp())
for k in range(100):
    times = [float(t) for t in range(100)]
    source = sim.StepCurrentSource(times=times, amplitudes=[0.1] * len(times))
    source.inject_into(cells[k : k + 1])
cells.record("v")
try:
    sim.run(100.0)
except Exception as error:
    print("raised:", type(error).__name__, str(error).splitlines()[-1])
"""


def test_the_error_of_a_core_carries_its_own_words(folder):
    (folder / "much.py").write_text(TOO_MUCH)
    status, output = run(folder, "much.py")
    assert status == 0
    (raised,) = [line for line in output.splitlines() if line.startswith("raised:")]
    assert "SpiNNManCoresNotInStateException" in raised
    assert "Unable to allocate step current source" in raised and "out of DTCM" in raised


LONG = """\
import pyNN.spiNNaker as sim

sim.setup(timestep=1.0)
cells = sim.Population(100, sim.IF_curr_exp(i_offset=1.0))
cells.record("spikes")
print("ready", flush=True)
sim.run(500000.0)
"""


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_nothing_outlives_the_launcher(folder, how):
    (folder / "long.py").write_text(LONG)
    with start(folder, "long.py") as process:
        for line in process.stdout:
            if "Application started" in line:
                break
        family = descendants(process.pid)
        assert left_over(folder)
        ends = [os.pidfd_open(pid) for pid in family]
        process.send_signal(how)
        output, _ = process.communicate(timeout=60)
    assert len(family) >= 3  # the script, the machine, a process that computes with it
    # Of an interrupt sPyNNaker makes its own exit status, or Python does.
    assert process.returncode in ([-9] if how is signal.SIGKILL else [1, 130]), output
    for end in ends:  # readable when the process has ended
        assert select.select([end], [], [], 20)[0]
        os.close(end)
    assert not left_over(folder)


def descendants(pid: int) -> set[int]:
    """The processes below a process, as the system knows them now."""
    found, waiting = set(), [pid]
    while waiting:
        path = Path(f"/proc/{waiting.pop()}")
        for task in path.glob("task/*/children"):
            children = [int(child) for child in task.read_text().split()]
            found.update(children)
            waiting += children
    return found


def left_over(folder: Path) -> set[Path]:
    """The launcher's private folders."""
    return set(temporary(folder).glob("spinnaker-emulator-*"))


def test_a_volley_wanders_through_a_synfire_chain(folder):
    status, output = run(folder, str(EXAMPLES / "synfire_chain.py"))
    assert status == 0, output
    lines = [line for line in output.splitlines() if line.startswith("group ")]
    assert len(lines) == 6 and all(": 20 spikes" in line for line in lines)
    first = [float(line.split("spikes, ")[1].split(" to")[0]) for line in lines]
    steps = [b - a for a, b in itertools.pairwise(first)]
    assert set(steps) == {6.0}  # 4 ms of delay, and 2 to the threshold


@pytest.mark.slow
def test_a_balanced_network_is_active(folder):
    status, output = run(folder, str(EXAMPLES / "balanced_network.py"))
    assert status == 0, output
    for name in ("excitatory", "inhibitory"):
        (line,) = [line for line in output.splitlines() if line.startswith(f"{name}: ")]
        assert 5 < float(line.split("spikes, ")[1].split()[0]) < 40


# --- as a backend -----------------------------------------------------------------------------


def test_it_says_what_is_missing(tmp_path, monkeypatch):
    entry = BACKENDS["spinnaker-emulator"]
    backend = entry.make(RunStore(tmp_path))
    monkeypatch.setattr(type(entry.system), "missing", lambda self: ["unicorn"])
    with pytest.raises(
        BackendUnavailable,
        match=r"unicorn not installed; install with: pip install -r "
        r"backends/spinnaker/requirements\.txt",
    ):
        backend.check(files.load("mainen_sejnowski"))


def test_what_spinnaker_cannot_do_is_refused_before_anything_starts(tmp_path):
    backend = BACKENDS["spinnaker-emulator"].make(RunStore(tmp_path))
    with pytest.raises(UnsupportedExperiment, match="timestep"):
        backend.check(files.load("mainen_sejnowski", ["timestep=0.05"]))
    assert not list(tmp_path.iterdir())


def same(one, other) -> None:
    for here, there in zip(one.populations, other.populations, strict=True):
        assert len(here.spike_times) > 0
        for name in ("spike_times", "spike_indices", "v", "v_indices"):
            np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


SMALL = ["trials=2", "duration=100", "timestep=1", "record.v_interval=1"]


@pytest.mark.parametrize("changes", [SMALL, pytest.param([], marks=pytest.mark.slow)])
def test_a_rehearsal_ends_with_what_the_twin_computes(folder, changes):
    """The whole way to SpiNNaker, with machine code at its end, gives the twin's bits."""
    experiment = files.load("mainen_sejnowski", changes)
    twin, remote = (
        backends.get(name, folder).submit(experiment).result()
        for name in ("spinnaker-twin", backends.rehearsed_by("rehearsal", "spinnaker-emulator"))
    )
    same(twin, remote)


@pytest.mark.slow
def test_the_backends_run_is_the_rehearsals(folder):
    experiment = files.load("mainen_sejnowski", SMALL)
    names = ("spinnaker-emulator", "rehearsal-spinnaker-twin")
    same(*(backends.get(name, folder).submit(experiment).result() for name in names))
