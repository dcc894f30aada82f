"""What the fixtures of one test session share: its runs, its baselines, the test at work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import backends
from backends import BackendUnavailable
from pynn_model.experiment import Experiment

from . import baselines, selection
from .runs import BackendRun, ExperimentLike, Runner, load_experiment
from .state import CURRENT, RECORDED

if TYPE_CHECKING:
    from analysis.compare import Comparison

    from .sides import Side


class Session:
    """The fixtures' functions.

    runs: the folder of the runs. comparisons: that of what failed comparisons leave, where the
    options name no other one.
    """

    def __init__(self, config: pytest.Config, runs: Path, comparisons: Path) -> None:
        self._config = config
        self._runner = Runner(runs)
        self._comparisons = comparisons
        self._written: dict[Path, str] = {}

    @property
    def _item(self) -> pytest.Item:
        return self._config.stash[CURRENT]

    def run_on(self, backend: str, experiment: ExperimentLike, /, **changes: Any) -> BackendRun:
        """The finished run, made once; of a remote backend its baseline, unless --live."""
        __tracebackhide__ = True
        selection.known([backend], "run_on")
        if self._is_live(backend):
            return self._run(backend, self._load(experiment, changes))
        return self.baseline(backend, experiment, **changes)

    def baseline(
        self, backend: str, experiment: ExperimentLike, /, *, potentials: int = 0, **changes: Any
    ) -> BackendRun:
        """The run recorded in a file beside the test; with --record-baselines it is written."""
        __tracebackhide__ = True
        selection.known([backend], "baseline")
        try:
            return self._baseline(backend, self._load(experiment, changes), potentials)
        except baselines.BaselineError as error:
            why = str(error)
        pytest.fail(why, pytrace=False)

    def show(self, comparison: Comparison, first: Side, second: Side) -> str:
        """Leave the report of a comparison; lines that say where."""
        from . import evidence

        folder = evidence.folder(self._config, self._comparisons)
        return evidence.show(comparison, (first, second), self._item, folder)

    def _load(self, experiment: ExperimentLike, changes: Mapping[str, Any]) -> Experiment:
        return load_experiment(experiment, changes, self._item.path.parent)

    def _is_live(self, backend: str) -> bool:
        return bool(self._config.getoption("live")) or not backends.is_remote(backend)

    def _run(self, backend: str, experiment: Experiment) -> BackendRun:
        try:
            return self._runner.run(backend, experiment)
        except BackendUnavailable as error:
            selection.missing(self._config, error)

    def _baseline(self, backend: str, experiment: Experiment, potentials: int) -> BackendRun:
        where = baselines.place(self._item.path.parent, backend, experiment, self._item.nodeid)
        if not (self._config.getoption("record_baselines") and self._is_live(backend)):
            replayed = baselines.replay(where, backend, experiment)
            return BackendRun(backend, experiment, replayed, None, where.path.name)
        if self._written.setdefault(where.path, experiment.digest) != experiment.digest:
            raise baselines.BaselineError(
                f"{where.path}: was recorded from another experiment of that name in this "
                'session; give one of them another name: name="..."'
            )
        run = self._run(backend, experiment)
        new = baselines.record(where, experiment, run.recording, potentials)
        self._tell(where.path, "recorded" if new else "unchanged")
        return run

    def _tell(self, path: Path, what: str) -> None:
        line = f"{os.path.relpath(path, self._config.rootpath)}: {what}"
        self._item.user_properties.append((RECORDED, line))
