"""What :mod:`scripts.bench` measures in processes of their own, so that nothing is warmed up.

python -m scripts.bench_tasks TASK ARGUMENT ...   the last line printed is {"name": seconds, ...}
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pynn_model.recording import Recording

from .bench_distances import libraries, measures
from .bench_report import Seconds


@contextmanager
def stopwatch(seconds: Seconds, name: str) -> Iterator[None]:
    """Note the wall time of a ``with`` block."""
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


def products_of(run_folder: str) -> Seconds:
    """The steps of ``scripts.run`` after the simulation, on a copy of a finished run."""
    seconds: Seconds = {}
    with stopwatch(seconds, "import"):
        from analysis.blocks import load_block
        from scripts import products
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("*.nix", "figures"))
        with stopwatch(seconds, "neo"):
            block = load_block(folder)
        with stopwatch(seconds, "nix"):
            products.write_nix(block, folder)
        with stopwatch(seconds, "table"):
            products.table(block)
        with stopwatch(seconds, "figure"):
            products.draw(block, folder, ("png",), main_only=True)
    return seconds


def phases_of(recording: Recording) -> Seconds:
    """What the runner noted of the simulator's process: phases, CPU time of run, memory in MB."""
    facts = recording.provenance
    return {
        **facts["phases"],
        "run_cpu": facts["phases_cpu"]["run"],
        "peak_memory_mb": facts["peak_memory_mb"],
    }


def large(experiment_file: str, recording_file: str) -> Seconds:
    """Simulate an experiment on NEST and bring its spikes into a Neo block, step by step.

    The recording stays in `recording_file`. Neo is imported before: it is needed whatever the size.
    """
    from analysis.blocks import build_block
    from pynn_model import files, runner

    recording = runner.execute(files.load(experiment_file), "nest")
    seconds = phases_of(recording)
    with stopwatch(seconds, "save"):
        recording.save(recording_file)
    with stopwatch(seconds, "load"):
        loaded = Recording.load(recording_file)
    with stopwatch(seconds, "block"):
        block = build_block(loaded)
        for segment in block.segments:
            assert len(segment.spiketrains.multiplexed[1])
    return seconds


def analysis(run_folder: str) -> Seconds:
    """Each measure on each condition of a run; of a measure the slower condition counts."""
    from analysis import reliability, similarity, spikearrays, statistics
    from analysis.blocks import load_block

    measures: dict[str, Callable[[spikearrays.SpikeArrays], object]] = {
        "reliability and precision, bootstrap": reliability.event_reliability,
        "Schreiber correlation, bootstrap": similarity.schreiber_with_interval,
        "Schreiber correlation": similarity.schreiber_correlation,
        "firing rates": statistics.mean_firing_rates,
        "intervals": statistics.isi,
        "CV": statistics.cv,
        "CV2": statistics.cv2,
        "LV": statistics.lv,
        "Fano factor": statistics.fano_factor,
        "PSTH": statistics.psth,
        "latency": statistics.first_spike_latency,
        "SD of the 5th spike": lambda trials: statistics.spike_time_sd(trials, 5),
        "summary, all of them": statistics.summary,
    }
    conditions = [spikearrays.spike_arrays(s) for s in load_block(run_folder).segments]
    seconds: Seconds = {}
    for name, measure in measures.items():
        taken: Seconds = {}
        for number, condition in enumerate(conditions):
            with stopwatch(taken, str(number)):
                measure(condition)
        seconds[name] = max(taken.values())
    return seconds


TASKS: dict[str, Callable[..., Seconds]] = {
    task.__name__: task for task in (products_of, large, analysis, measures, libraries)
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
