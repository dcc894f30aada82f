"""The runs that `compare` sets side by side: read from where they are, or made first."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import neo

import backends
from analysis.blocks import load_block
from analysis.pairing import CompareError, named_segments
from analysis.policies import Policy, Statistical
from analysis.policy_defaults import default_policy
from analysis.report import Source
from analysis.runfacts import run_facts
from analysis.trial_selection import TrialsError, select_trials
from backends import Backend, UnsupportedExperiment
from pynn_model import files
from pynn_model.experiment import Experiment

from .command import ProgressLine, resolve, service_options, show_log, tell


@dataclass(frozen=True)
class Side:
    """What is compared as one: a run, or runs of one experiment with different seeds.

    label: how it is called. paths: where it is, as folders or files.
    """

    label: str
    blocks: tuple[neo.Block, ...]
    paths: tuple[Path, ...]

    def source(self) -> Source:
        """What the report draws and tells of it."""
        told = _provenance(self.paths[0])
        return Source(self.label, self.blocks[0], _facts(self, told), _effective(told))


# --- reading -----------------------------------------------------------------------------------


def read(runs: Sequence[str], folder: str) -> list[Side]:
    """Each of `runs`: a run's id or folder, a file, or several of them joined by commas.

    Raises RunIncomplete, BlockError for what cannot be read.
    """
    found = []
    for given in runs:
        several = given.split(",")
        if Path(given).exists() or not all(several):
            several = [given]
        paths = [resolve(one, folder) for one in several]
        runs_of_side = [(load_block(path), path) for path in paths]
        # Runs are compared with runs in their order: that of their seeds, however they are named.
        runs_of_side.sort(key=lambda run: _seed(run[0]))
        blocks, places = zip(*runs_of_side, strict=True)
        found.append((blocks, places))
    labels = _labels(found)
    return [Side(label, *each) for label, each in zip(labels, found, strict=True)]


def _seed(block: neo.Block) -> int:
    seed = block.annotations.get("seed")
    return int(seed) if isinstance(seed, (int, float)) else 0


def _labels(found: Sequence[tuple[tuple[neo.Block, ...], tuple[Path, ...]]]) -> list[str]:
    """The shortest names that tell the sides apart: backend, else run or file, else a number."""
    named = [str(blocks[0].annotations.get("backend") or "") for blocks, _ in found]
    runs = [_run_name(blocks[0], paths[0]) for blocks, paths in found]
    labels = [
        name if name and named.count(name) == 1 else run
        for name, run in zip(named, runs, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label} ({number})"
        for number, label in enumerate(labels, 1)
    ]


def _run_name(block: neo.Block, path: Path) -> str:
    return str(block.annotations.get("run_id") or path.resolve().name)


# --- making ------------------------------------------------------------------------------------


def make(names: Sequence[str], options: argparse.Namespace, seeds: int) -> list[Side]:
    """Runs of options.experiment on the backends of these names, `seeds` of each.

    Everything is checked on every backend before the first run starts; what was run before is
    served from options.runs.
    """
    for name in names:
        if names.count(name) > 1:
            raise CompareError(
                f"backend {name} is named twice; the comparison needs different ones"
            )
    experiment = files.load(options.experiment, options.changes)
    places = [_backend(name, options) for name in names]
    _check(places, experiment)
    sides = []
    for place in places:
        paths = tuple(
            _run(place, _reseeded(experiment, seed))
            for seed in range(experiment.seed, experiment.seed + seeds)
        )
        blocks = tuple(load_block(path) for path in paths)
        sides.append(Side(place.name, blocks, paths))
    return sides


def _backend(name: str, options: argparse.Namespace) -> Backend:
    if not backends.is_remote(name):
        return backends.get(name, options.runs)
    return backends.get(name, options.runs, {**service_options(options), "notice": tell})


def _check(places: Sequence[Backend], experiment: Experiment) -> None:
    refused: list[UnsupportedExperiment] = []
    for place in places:
        try:
            place.check(experiment)
        except UnsupportedExperiment as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise CompareError("\n".join(map(str, refused)))


def _reseeded(experiment: Experiment, seed: int) -> Experiment:
    return experiment if seed == experiment.seed else replace(experiment, seed=seed)


def _run(place: Backend, experiment: Experiment) -> Path:
    """The folder of the finished run, made now unless it was there."""
    title = f"{experiment.name} on {place.name}, seed {experiment.seed}"
    line = None if backends.is_remote(place.name) else ProgressLine(title)
    try:
        job = place.submit(experiment)
        job.on_log = show_log
        job.result(progress=line)
    finally:
        if line is not None:
            line.close()
    return job.folder


def seeds_asked(policy: Policy | Mapping[str, Policy] | None) -> int:
    """How many seeds the policies that were asked for need of each side."""
    every = policy.values() if isinstance(policy, Mapping) else [policy]
    return max((p.seeds for p in every if isinstance(p, Statistical)), default=1)


def seeds_by_default(sides: Sequence[Side]) -> int:
    """How many seeds the default policies need of each side."""
    reference, *others = [run_facts(side.blocks) for side in sides]
    chosen = [
        default_policy(reference, other, name)[0]
        for other in others
        for name in named_segments(sides[0].blocks[0])
    ]
    return max(map(seeds_asked, chosen), default=1)


# --- what belongs together -----------------------------------------------------------------------


def mapping_for(
    pairs: Sequence[tuple[str, str]], reference: Side, others: Sequence[Side]
) -> list[dict[str, str]]:
    """For each other side: condition of the reference -> its own.

    Of a pair either name may be the reference's, whichever it has. A pair applies to every other
    side that has the other name.

    Raises CompareError for a pair that fits none, with the names there are.
    """
    ours = named_segments(reference.blocks[0])
    chosen: list[dict[str, str]] = [{} for _ in others]
    for first, second in pairs:
        fits = False
        for other, mapping in zip(others, chosen, strict=True):
            theirs = named_segments(other.blocks[0])
            for name, partner in ((first, second), (second, first)):
                if name in ours and partner in theirs:
                    mapping[name] = partner
                    fits = True
                    break
        if not fits:
            there = "; ".join(
                f"{side.label} has {', '.join(named_segments(side.blocks[0]))}"
                for side in (reference, *others)
            )
            raise CompareError(
                f"--map {first}={second}: no condition of {reference.label} and of another run "
                f"have these names; {there}"
            )
    return chosen


def with_trials(sides: Sequence[Side], chosen: str) -> list[Side]:
    """The sides with some of their trials: "1-10" of all, "1-10=11-20" with others' in turn.

    Raises CompareError for what is no such list, and for trials that there are not.
    """
    first, equals, second = chosen.partition("=")
    ours = _numbers(chosen, first)
    theirs = _numbers(chosen, second) if equals else ours
    if len(ours) != len(theirs):
        raise CompareError(
            f"--trials {chosen}: {len(ours)} trials of the reference, {len(theirs)} of the others; "
            "there must be equally many"
        )
    return [
        replace(side, blocks=tuple(_selected(side, block, wanted) for block in side.blocks))
        for side, wanted in zip(sides, [ours, *[theirs] * (len(sides) - 1)], strict=True)
    ]


def _selected(side: Side, block: neo.Block, wanted: Sequence[int]) -> neo.Block:
    try:
        return select_trials(block, wanted)
    except TrialsError as error:
        raise CompareError(f"--trials: {side.label}: {error}") from error


def _numbers(chosen: str, part: str) -> list[int]:
    """ "1-3,7" -> 0, 1, 2, 6."""
    numbers: list[int] = []
    for piece in part.split(","):
        found = re.fullmatch(r"\s*(\d{1,7})\s*(?:-\s*(\d{1,7})\s*)?", piece)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if low < 1 or high < low:
            raise CompareError(
                f"--trials {chosen}: {piece!r} is no trial number or range; write for example "
                "1-10,12 or 1-10=11-20 (numbers from 1)"
            )
        numbers.extend(range(low - 1, high))
    return numbers


# --- provenance ----------------------------------------------------------------------------------


def _provenance(path: Path) -> dict[str, Any]:
    file = path / "provenance.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _facts(side: Side, told: Mapping[str, Any]) -> dict[str, str]:
    """What is known beside the block's annotations, by the names that the page shows."""
    host, git = told.get("host") or {}, told.get("git") or {}
    commit = str(git.get("commit") or "")[:12]
    facts = {
        "kept in": ", ".join(map(str, side.paths)),
        "began": _moment(told.get("start")),
        "ended": _moment(told.get("end")),
        "host": ", ".join(str(host[key]) for key in ("name", "platform") if host.get(key)),
        "threads": str(told.get("threads", "")),
        "this project": commit and commit + ("" if git.get("clean") else ", with changes"),
        "run.py, SHA-256": str(told.get("run_py_sha256") or "")[:16],
    }
    return {name: value for name, value in facts.items() if value}


def _moment(written: Any) -> str:
    """ISO 8601 to the second."""
    return str(written or "").replace("T", " ").partition(".")[0] + (" UTC" if written else "")


def _effective(told: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = told.get("effective_parameters") or {}
    return {str(key): value for key, value in found.items() if isinstance(value, Mapping)}
