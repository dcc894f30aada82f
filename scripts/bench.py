"""Measure speed: the main job and a large simulation beside bare PyNEST, the analysis by itself.

python -m scripts.bench

Each run is a process of its own. What is compared runs in turns (ours, bare, ours, bare, ...), so
that a machine that is slow for a while is slow for both; a ratio is the median of the ratios of the
turns. Every bare run must give the very spikes of ours: otherwise the two did not do the same.

Exit status 0 when everything was measured, whether or not the goals are met (the table says so:
they depend on the machine); 1 when a run failed or the spikes were not the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backends import BackendError
from pynn_model import files
from pynn_model.recording import Recording

from .bench_distances import FIRST_CALL, OURS_FEWER, VICTOR_PURPURA, VICTOR_PURPURA_FEWER
from .bench_emulator import table as table_of_emulator
from .bench_report import (
    Line,
    Seconds,
    Table,
    alone,
    as_json,
    beside,
    head,
    machine,
    median,
    memory,
    phases,
    text,
    verdict,
)
from .bench_simulators import SIMULATORS
from .bench_simulators import table as table_of_simulators
from .bench_tasks import phases_of
from .command import finish, parser

ROOT = Path(__file__).resolve().parent.parent
LARGE_REPEATS = 3
"""At most so many turns of the large simulation, which takes half a minute on either side."""
RATES = (15.0, 40.0)
"""Spikes/s of the trains that are compared; the libraries are measured on the first."""
LARGE = """\
name = "large"
description = "many cells, one frozen current, private noise: about 60 spikes/s each"
trials = {trials}
duration = {duration}
timestep = 0.1
seed = 1

[neuron]
cell_type = "IF_curr_exp"
parameters = {{tau_m = 30.0, cm = 0.25, v_rest = -70.0, v_reset = -70.0, v_thresh = -53.0, \
tau_refrac = 2.0}}

[record]
spikes = true
v = 0

[[conditions]]
name = "noise"

[[conditions.currents]]
kind = "noise"
spectrum = "alpha"
tau = 3.0
mean = 0.365
stdev = 0.1
dt = 1.0
shared = true

[[conditions.currents]]
kind = "noise"
spectrum = "white"
stdev = 0.05
dt = 1.0
shared = false
"""


class BenchmarkError(BackendError):
    """A measured process failed, or bare PyNEST did not give the same spikes."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured. changes: of the main job; the rest are numbers of trials and ms.

    fresh_cache: whether compiled code is made anew, as in a fresh clone. emulated: neurons and
    ticks of the emulated SpiNNaker.
    """

    changes: tuple[str, ...] = ()
    large_trials: int = 10_000
    large_duration: float = 2000.0
    analysis_trials: int = 1000
    compared_trials: int = 1000
    victor_purpura_trials: int = 100
    fresh_cache: bool = True
    emulated: tuple[int, int] = (256, 3000)


QUICK = Sizes(
    ("trials=4", "duration=100.0"), 100, 100.0, 50, 20, 5, fresh_cache=False, emulated=(64, 2000)
)


@dataclass(frozen=True)
class Process:
    """What a process took, the processes it started included."""

    wall: float
    cpu: float
    peak_mb: float
    output: str


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "bench",
        "Measure the main job and 10 000 neurons beside bare PyNEST, every phase, and the analysis "
        "of 1000 trials. Exit status 0 when measured, goals met or not.",
        "python -m scripts.bench --repeats 3",
    )
    arguments.add_argument("--repeats", type=int, default=5, help="runs of each (default: 5)")
    arguments.add_argument("--json", action="store_true", help="print JSON, for scripts")
    arguments.add_argument(
        "--quick", action="store_true", help="one run of each, all small: does it work at all?"
    )
    options = arguments.parse_args(argv)
    if options.repeats < 1:
        arguments.error(f"--repeats {options.repeats}: must be at least 1")
    sizes, repeats = (QUICK, 1) if options.quick else (Sizes(), options.repeats)

    say: Callable[[str], None] = _say if sys.stderr.isatty() else lambda _: None
    found = machine()
    if not options.json:
        print(head(found, repeats, options.quick))
    tables = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for measure in PARTS:
            tables.extend(measure(Path(folder), sizes, repeats, say))
    say("")
    if options.json:
        print(json.dumps(as_json(found, repeats, options.quick, tables), indent=2))
    else:
        print("\n\n".join(text(table) for table in tables))
        print(f"\n{verdict(tables)}")
    return 0


# --- what is measured --------------------------------------------------------------------------


def main_job(folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]) -> list[Table]:
    """The main job against the bare script that ends in the same figure; then its phases."""
    experiment = files.write(files.load("mainen_sejnowski", sizes.changes), folder)
    ours, bare = [], []
    simulated: list[Seconds] = []
    bare_phases: list[Seconds] = []
    products: list[Seconds] = []
    for turn in range(repeats):
        say(f"main job, turn {turn + 1} of {repeats}")
        runs = folder / "runs"
        command = ("nest", experiment, "--fresh", "--runs", runs)
        ours.append(_process("scripts.run", *command))
        bare.append(_process("scripts.bare_pynest", experiment, folder))
        run = _only_run(runs)
        recording = Recording.load(str(run / "recording.npz"))
        _require_same_spikes(recording, folder / "spikes.npz")
        simulated.append(phases_of(recording))
        bare_phases.append(_read(folder / "bare.json"))
        products.append(_task("products_of", run)[0])
    against = Table(
        "The main job (run nest mainen_sejnowski) against a bare PyNEST script with its figure",
        [
            beside("whole job, wall time", [p.wall for p in ours], [p.wall for p in bare], 1.5),
            beside("whole job, CPU time", [p.cpu for p in ours], [p.cpu for p in bare]),
            beside(
                "whole job but for its NIX file",
                [p.wall - made["nix"] for p, made in zip(ours, products, strict=True)],
                [p.wall for p in bare],
            ),
            phases("simulation phase", simulated, bare_phases, "run", goal=1.05),
            phases("simulation phase, CPU time", simulated, bare_phases, "run_cpu"),
            phases("build and simulation", simulated, bare_phases, "build", "run"),
            memory("peak memory", [p.peak_mb for p in ours], [p.peak_mb for p in bare]),
        ],
        "The bare script keeps nothing. Of the whole job, the NIX file takes the most: Neo's own\n"
        "writer needs so long for 50 trains and their signals, and no other one is used.",
    )
    steps = Table(
        "The main job by phases",
        [
            *(
                phases(f"simulator's process: {name}", simulated, bare_phases, name)
                for name in ("import", "build", "run", "collect")
            ),
            alone("simulator's process: peak memory", simulated, "peak_memory_mb", unit="MB"),
            alone("beside it: import of Neo, matplotlib", products, "import"),
            alone("then: recording into a Neo block", products, "neo"),
            alone("then: NIX", products, "nix"),
            alone("then: table", products, "table"),
            phases("then: figure", products, bare_phases, "figure"),
        ],
    )
    return [against, steps]


def large_simulation(
    folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]
) -> list[Table]:
    """Many neurons, spikes only, against bare PyNEST; and their spikes on the way to Neo."""
    path = folder / "large.toml"
    path.write_text(LARGE.format(trials=sizes.large_trials, duration=sizes.large_duration))
    saved = folder / "large.npz"
    ours: list[Seconds] = []
    bare: list[Seconds] = []
    peaks, bare_peaks = [], []
    repeats = min(repeats, LARGE_REPEATS)
    for turn in range(repeats):
        say(f"large simulation, turn {turn + 1} of {repeats}")
        seconds, process = _task("large", path, saved)
        ours.append(seconds)
        peaks.append(process.peak_mb)
        bare_peaks.append(_process("scripts.bare_pynest", path, folder).peak_mb)
        bare.append(_read(folder / "bare.json"))
        recording = Recording.load(str(saved))
        _require_same_spikes(recording, folder / "spikes.npz")
    spikes = len(recording.populations[0].spike_times)
    rate = spikes / sizes.large_trials / sizes.large_duration * 1000
    collecting = ("collect", "save", "load", "block")
    title = (
        f"{sizes.large_trials} neurons × {sizes.large_duration / 1000:g} s at 0.1 ms, spikes only "
        f"({spikes} spikes, {rate:.0f} Hz), against bare PyNEST, medians of {repeats}\n"
        "One frozen alpha-filtered current for all, private white noise for each, both held 1 ms"
    )
    lines = [
        phases("simulation phase, large", ours, bare, "run", goal=1.05),
        phases("simulation phase, CPU time", ours, bare, "run_cpu"),
        phases("build", ours, bare, "build"),
        phases("build and simulation", ours, bare, "build", "run"),
        alone("spikes into a Neo block, in all:", ours, *collecting, goal=0.5),
        phases("  from the simulator's arrays", ours, bare, "collect"),
        alone("  recording saved", ours, "save"),
        alone("  recording loaded", ours, "load"),
        alone("  block built", ours, "block"),
        memory("peak memory", peaks, bare_peaks),
    ]
    return [Table(title, lines)]


def thousand_trials(
    folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]
) -> list[Table]:
    """Every measure on many trials of the main experiment."""
    runs = folder / "many"
    changes = [f"trials={sizes.analysis_trials}", "record.v=0"]
    say("trials to analyse")
    command = [part for change in changes for part in ("--set", change)]
    _process("scripts.run", "nest", "mainen_sejnowski", "--no-figure", "--runs", runs, *command)
    found: list[Seconds] = []
    for turn in range(repeats):
        say(f"analysis, turn {turn + 1} of {repeats}")
        found.append(_task("analysis", _only_run(runs))[0])
    title = f"Analysis of {sizes.analysis_trials} trials, the slower condition of mainen_sejnowski"
    return [Table(title, [alone(name, found, name, goal=1.0) for name in found[0]])]


def simulators(folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]) -> list[Table]:
    """Many neurons with one shared current, on each simulator; Brian2, which compiles, once."""
    sizes_given = sizes.large_trials, sizes.large_duration
    runs: dict[str, list[Seconds]] = {}
    for name in SIMULATORS:
        for turn in range(1 if name == "brian2" else min(repeats, LARGE_REPEATS)):
            say(f"{name} with a shared current, turn {turn + 1}")
            output = _process("scripts.bench_simulators", name, *sizes_given).output
            runs.setdefault(name, []).append(dict(json.loads(output.splitlines()[-1])))
    return [table_of_simulators(runs, *sizes_given)]


def emulator(folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]) -> list[Table]:
    """SpiNNaker's machine code on one emulated core."""
    say("spinnaker-emulator")
    output = _process("scripts.bench_emulator", *sizes.emulated).output
    return [table_of_emulator([dict(json.loads(output.splitlines()[-1]))])]


def comparisons(
    folder: Path, sizes: Sizes, repeats: int, say: Callable[[str], None]
) -> list[Table]:
    """Every measure that compares spike trains, beside Elephant and PySpike where they have it."""
    cache = str(folder / "compiled") if sizes.fresh_cache else ""
    first_calls: list[float] = []
    found: dict[float, list[Seconds]] = {rate: [] for rate in RATES}
    for turn in range(repeats):
        say(f"comparison of spike trains, turn {turn + 1} of {repeats}")
        for rate in RATES:
            seconds = _task("measures", cache, sizes.compared_trials, rate)[0]
            first_calls.append(seconds.pop(FIRST_CALL))
            found[rate].append(seconds)
    say("Elephant and PySpike")
    libraries = _task("libraries", sizes.compared_trials, sizes.victor_purpura_trials)[0]
    fewer = f"Victor–Purpura, {sizes.victor_purpura_trials} trials only"
    tables = []
    for rate, runs in found.items():
        theirs = libraries if rate == RATES[0] else {}
        lines = [
            Line(
                name,
                median(run[name] for run in runs),
                bare=theirs.get(name),
                goal=10.0 if name == VICTOR_PURPURA else None,
            )
            for name in runs[0]
        ]
        lines.append(alone("all measures", runs, *runs[0], goal=20.0))
        if theirs:
            lines.append(Line(fewer, theirs[OURS_FEWER], bare=theirs[VICTOR_PURPURA_FEWER]))
            lines.append(Line("once, compiling and imports", first_calls[0]))
            lines.append(Line("in each later process, imports", median(first_calls[1:])))
        title = f"Comparing spike trains: {sizes.compared_trials} trials × 1 s at {rate:g} spikes/s"
        remark = "Elephant and PySpike (once) gave the same values to 1e-9." if theirs else ""
        tables.append(Table(title, lines, remark, "library"))
    return tables


PARTS = (main_job, large_simulation, thousand_trials, comparisons, simulators, emulator)


# --- measuring ---------------------------------------------------------------------------------


def _process(module: str, *arguments: object) -> Process:
    """Run ``python -m module``, all output kept; BenchmarkError unless it succeeds."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise BenchmarkError(f"{' '.join(command)} failed:\n{errors.read()}{output.read()}")
        scale = 1e6 if sys.platform == "darwin" else 1e3
        cpu = usage.ru_utime + usage.ru_stime
        return Process(wall, cpu, usage.ru_maxrss / scale, output.read())


def _task(name: str, *arguments: object) -> tuple[Seconds, Process]:
    """Run one of :mod:`scripts.bench_tasks`: the seconds it noted, and what it took."""
    process = _process("scripts.bench_tasks", name, *arguments)
    return dict(json.loads(process.output.splitlines()[-1])), process  # NEST prints, too


def _require_same_spikes(recording: Recording, bare_spikes: Path) -> None:
    bare = np.load(bare_spikes)
    for number, population in enumerate(recording.populations):
        times, senders = bare[f"times_{number}"], bare[f"senders_{number}"]
        same = np.array_equal(times, population.spike_times)
        if not same or not np.array_equal(senders, population.spike_indices):
            raise BenchmarkError(
                f"the comparison is void: in condition {population.name!r} bare PyNEST gave "
                f"{len(times)} spikes and this project {len(population.spike_times)}, which are "
                "not the same"
            )


def _only_run(runs: Path) -> Path:
    (run,) = (path.parent for path in runs.glob("*/provenance.json"))
    return run


def _read(path: Path) -> Seconds:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _say(what: str) -> None:
    sys.stderr.write(f"\r\x1b[K{what}")
    sys.stderr.flush()


if __name__ == "__main__":
    finish(main)
