"""One folder a run, written so that it can be interrupted at any moment.

A run is written in ``RUNS/<run id>.partial`` and renamed to ``RUNS/<run id>`` when its recording
and its provenance are complete and on the disk. So a folder without ``.partial`` is a result, and
a folder with it never is. A lock, which the system releases however a process ends, tells a run
that is going on from one that was interrupted.

    experiment.toml   (and the files it names)   what was asked
    run.py                                       the exact code that ran, complete
    log.txt                                      what the simulator wrote
    recording.npz                                spikes and potentials
    recording.nix                                the same as Neo, made from recording.npz
    provenance.json                              versions, host, times, parameters; written last
    figures/                                     made from recording.npz
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from pynn_model.recording import Recording, RecordingError

from .base import RunIncomplete

PARTIAL = ".partial"
OLD = ".replaced"


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, force it to the disk, rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class Run:
    """The folder of one run."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.run_id = run_id
        self.path = root / run_id
        self.partial = root / f"{run_id}{PARTIAL}"
        self._old = root / f"{run_id}{OLD}"
        self._lock_path = root / ".locks" / run_id
        self._lock: IO[str] | None = None

    # --- reading

    @property
    def complete(self) -> bool:
        """Whether the run is a result."""
        self._recover()
        return (self.path / "provenance.json").is_file()

    @property
    def folder(self) -> Path:
        """Where the run's files are now."""
        return self.path if self.complete else self.partial

    def recording(self) -> Recording:
        """The run's recording; RunIncomplete if it is no result."""
        if not self.complete:
            raise RunIncomplete(self.why_incomplete())
        try:
            return Recording.load(str(self.path / "recording.npz"))
        except (FileNotFoundError, RecordingError) as error:
            raise RunIncomplete(f"{self.path}: {error}; run it again with --fresh") from error

    def provenance(self) -> dict[str, Any]:
        """What is known of how the run came about."""
        if not self.complete:
            raise RunIncomplete(self.why_incomplete())
        return dict(json.loads((self.path / "provenance.json").read_text(encoding="utf-8")))

    def why_incomplete(self) -> str:
        if self.partial.is_dir():
            how = "is still going on" if self.locked_elsewhere() else "was interrupted or failed"
            return f"{self.partial}: this run {how}; it holds no result"
        return f"{self.path}: no such run"

    def locked_elsewhere(self) -> bool:
        """Whether another process is at work on this run."""
        if self._lock is not None or not self._lock_path.exists():
            return False
        with open(self._lock_path) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    # --- writing

    def lock(self) -> None:
        """Be the only process that writes this run; waits for another one to end."""
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = open(self._lock_path, "w")  # noqa: SIM115 - held until unlock()
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def begin(self) -> Path:
        """An empty partial folder; what an interrupted attempt left is thrown away."""
        self._recover()
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True)
        return self.partial

    def commit(self, provenance: dict[str, Any]) -> None:
        """Declare the partial folder a result, in the place of an older one."""
        text = json.dumps(provenance, indent=2, sort_keys=True, allow_nan=False)
        write_text(self.partial / "provenance.json", text + "\n")
        if self.path.exists():
            os.rename(self.path, self._old)
        os.rename(self.partial, self.path)
        _sync(self.path.parent)
        if self._old.exists():
            shutil.rmtree(self._old)

    def _recover(self) -> None:
        """Put right what a process that was killed inside :meth:`commit` left."""
        if self._old.exists() and not self.path.exists() and not self.locked_elsewhere():
            os.rename(self._old, self.path)


class RunStore:
    """The folder that holds the runs."""

    def __init__(self, root: Path | str = "runs") -> None:
        self.root = Path(root)

    def run(self, run_id: str) -> Run:
        return Run(self.root, run_id)

    def find(self, run: str) -> Run:
        """The run of an id, or of a path to its folder; RunIncomplete if it is no result."""
        path = Path(run)
        if not path.is_dir():
            path = self.root / run
        name = path.resolve().name
        if name.endswith(PARTIAL):
            name = name[: -len(PARTIAL)]
        found = Run(path.resolve().parent, name)
        if not found.complete or path.resolve().name != name:
            raise RunIncomplete(found.why_incomplete())
        return found

    def runs(self) -> list[Run]:
        """Every complete run, by name."""
        if not self.root.is_dir():
            return []
        names = sorted(p.name for p in self.root.iterdir() if (p / "provenance.json").is_file())
        return [self.run(n) for n in names if not n.endswith((PARTIAL, OLD))]


def _sync(folder: Path) -> None:
    """Force a rename to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
