"""Running the script of a job, as a container of the real provider does, in a fresh folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

STAND_IN = Path(__file__).resolve().parent / "standin"
CHECKOUT = Path(__file__).resolve().parents[2]
EMULATOR = "spinnaker-emulator"
"""In the place of a system: pyNN.spiNNaker itself, with an emulated machine."""
HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "TZ", "XDG_CACHE_HOME")
"""The environment a job gets to see: nothing of who submitted it, and no token."""
REPORTS = "reports"


@dataclass(frozen=True)
class Execution:
    """What there is to run. say: takes the whole log so far. stop: set when it is to end."""

    folder: Path
    timeout: float
    say: Callable[[str], None]
    stop: threading.Event


class Executor(Protocol):
    """Runs run.py in its folder and returns its exit status; negative where it was killed."""

    def __call__(self, execution: Execution) -> int: ...


class SubprocessExecutor:
    """``python run.py spiNNaker``, with the PyNN module `system` behind that name.

    system: nest, neuron, ... for a module of pyNN; with dots, a module by its full name, of this
    checkout; "spinnaker-emulator" for sPyNNaker on an emulated machine. every: s between two looks
    at the log.
    """

    def __init__(self, system: str, every: float = 0.5, python: str = sys.executable) -> None:
        self.system = system
        self.every = every
        self.python = python

    def __call__(self, execution: Execution) -> int:
        log = execution.folder.with_suffix(".log")
        theirs, ours = os.pipe()
        try:
            with open(log, "wb") as stream:
                process = self.begin(["run.py", "spiNNaker"], execution.folder, stream, theirs)
        finally:
            os.close(theirs)
        try:
            return self._follow(process, execution, log)
        finally:
            _kill(process)
            os.close(ours)
            execution.say(_text(log))
            log.unlink()

    def begin(
        self, arguments: list[str], folder: Path, log: IO[bytes], lifeline: int
    ) -> subprocess.Popen[bytes]:
        """Start Python in `folder`; it ends when the other end of the pipe `lifeline` is closed."""
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        own_module = "." in self.system
        environment |= {
            "PYTHONPATH": f"{STAND_IN}{os.pathsep}{CHECKOUT}" if own_module else str(STAND_IN),
            "PYTHONUNBUFFERED": "1",
            "PYTHONHASHSEED": "0",
            "PYNN_REHEARSAL_SYSTEM": "spiNNaker" if self.system == EMULATOR else self.system,
            "PYNN_REHEARSAL_LIFELINE": str(lifeline),
        }
        return subprocess.Popen(
            self._command(arguments),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lifeline],
            start_new_session=True,
            env=environment,
        )

    def _command(self, arguments: list[str]) -> list[str]:
        if self.system != EMULATOR:
            return [self.python, *arguments]
        from ..spinnaker.emulator import launcher

        return launcher.command(*arguments)

    def _follow(self, process: subprocess.Popen[bytes], execution: Execution, log: Path) -> int:
        deadline = time.monotonic() + execution.timeout
        ended = threading.Event()

        def wait() -> None:
            process.wait()
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        said = ""
        while not ended.wait(max(0.0, min(self.every, deadline - time.monotonic()))):
            text = _text(log)
            if text != said:
                execution.say(text)
                said = text
            if execution.stop.is_set() or time.monotonic() >= deadline:
                _kill(process)
        return process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a job and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def harvest(folder: Path, before: set[Path], target: Path) -> list[Path]:
    """Copy the files that are new to `target`, by base name alone: of two of a name one is lost.

    Compiled Python is left out; the folder "reports" becomes reports.zip. Returns the copies.
    """
    target.mkdir(parents=True, exist_ok=True)
    reports = folder / REPORTS
    new = sorted(path for path in files_below(folder) - before if path.suffix != ".pyc")
    kept = {}
    for path in new:
        if reports not in path.parents:
            kept[path.name] = shutil.copyfile(path, target / path.name)
    in_reports = [path for path in new if reports in path.parents]
    if in_reports:
        name = f"{REPORTS}.zip"
        with zipfile.ZipFile(target / name, "w") as archive:
            for path in in_reports:
                archive.write(path, path.relative_to(folder))
        kept[name] = target / name
    return [kept[name] for name in sorted(kept)]
