"""Runs a script with an emulated SpiNNaker at its side.

The script is a process like any other, in the caller's folder, with the caller's environment and
streams; the machine is another one. Neither outlives the launcher, however that ends.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import home

ROOT = Path(__file__).resolve().parents[3]
HOOK = Path(__file__).resolve().parent / "hook"
CONFIGURATION = "PYNN_SPINNAKER_EMULATOR"
REQUIREMENTS = "backends/spinnaker/requirements.txt"
NEEDED = {"spynnaker": "sPyNNaker", "unicorn": "unicorn", "numba": "numba"}
REPORTS = Path("reports")
"""Where sPyNNaker leaves its reports, below the folder of the script's process."""
REPORT = "emulator.json"
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG, linux/prctl.h
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
_ENDING = 20.0
"""s that the machine may take to end."""


BOOT = """\
import sys
sys.path.insert(0, {root!r})
from backends.spinnaker.emulator.launcher import main
del sys.path[0]
sys.exit(main(sys.argv[1:]))
"""


def command(*arguments: str) -> list[str]:
    """The command that runs a script with the emulator, from whatever folder.

    It leaves the script's module path as it is: this checkout is not on it.
    """
    return [sys.executable, "-P", "-c", BOOT.format(root=str(ROOT)), *arguments]


class MachineFailed(RuntimeError):
    """The emulated machine did not start, or ended before the script."""


def main(arguments: Sequence[str]) -> int:
    """Run a script; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m backends.spinnaker.emulator",
        description="Run a PyNN script that imports pyNN.spiNNaker on an emulated machine.",
    )
    parser.add_argument("--workers", type=int, help="processes that compute (default: all CPUs)")
    parser.add_argument("--report", type=Path, help="file for what each core had to compute")
    parser.add_argument("script", type=Path)
    parser.add_argument("args", nargs=argparse.REMAINDER, metavar="ARGS")
    chosen = parser.parse_args(arguments)
    if chosen.workers is not None and chosen.workers < 1:
        parser.error(f"--workers must be at least 1, not {chosen.workers}")
    if not chosen.script.is_file():
        parser.error(f"{chosen.script}: no such file")
    absent = missing()
    if absent:
        _failed(f"{', '.join(absent)} not installed; install with: pip install -r {REQUIREMENTS}")
        return 2
    try:
        with Launch(chosen.workers or os.cpu_count() or 1) as launch:
            status = launch.run([str(chosen.script), *chosen.args])
            launch.finish(chosen.report)
            return status
    except MachineFailed as error:
        return _failed(str(error))


def missing() -> list[str]:
    """The distributions that are needed and not there."""
    return [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]


def _failed(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 1


class Launch:
    """The machine's process, its configuration, and the script that uses it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._folder = Path(tempfile.mkdtemp(prefix="spinnaker-emulator-"))
        self._report = self._folder / REPORT
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._script: subprocess.Popen[bytes] | None = None
        try:
            self._machine, address = self._start()
            self._configuration = home.write(self._folder, address)
        except BaseException:
            self._forget()
            raise

    def __enter__(self) -> Launch:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._script, self._machine):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._forget()

    def _forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _start(self) -> tuple[subprocess.Popen[bytes], str]:
        """The machine's process, once it answers, and its address."""
        ours, theirs = os.pipe()
        command = [
            *(sys.executable, "-P", "-m", "backends.spinnaker.emulator.machine"),
            *("--ready", str(theirs), "--report", str(self._report)),
            *("--workers", str(self._workers)),
        ]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs],
                start_new_session=True,  # Ctrl-C is the script's
                env={**os.environ, "PYTHONPATH": _joined(ROOT)},
                preexec_fn=lambda: self._bound(signal.SIGTERM),
            )
        finally:
            os.close(theirs)
        with open(ours, encoding="utf-8") as ready:
            what, _, text = ready.readline().strip().partition(" ")
        if what != "address":
            process.kill()
            process.wait()
            raise MachineFailed(text or "the emulated machine did not start")
        return process, text

    def run(self, command: list[str]) -> int:
        """Run the script to its end; its exit status, as a shell has it."""
        self._script = subprocess.Popen(
            [sys.executable, *command],
            env={
                **os.environ,
                "PYTHONPATH": _joined(HOOK),
                CONFIGURATION: str(self._configuration),
            },
            close_fds=False,  # what was made inheritable is the script's
            preexec_fn=lambda: self._bound(signal.SIGKILL),
        )
        status = self._watch(self._script)
        return status if status >= 0 else 128 - status

    def _watch(self, script: subprocess.Popen[bytes]) -> int:
        while (status := script.poll()) is None:
            if self._machine.poll() is not None:
                script.kill()
                script.wait()
                raise MachineFailed("the emulated machine has failed, see above")
            told = signal.sigwaitinfo(_SIGNALS)
            # What the terminal sends, it sends to the script as well.
            if told.si_signo != signal.SIGCHLD and told.si_code <= 0:
                with contextlib.suppress(ProcessLookupError):
                    script.send_signal(told.si_signo)
        return status

    def finish(self, report: Path | None) -> None:
        """End the machine, and hand on what it reports."""
        assert self._machine.stdin is not None
        self._machine.stdin.close()
        try:
            self._machine.wait(_ENDING)
        except subprocess.TimeoutExpired:
            return
        if not self._report.exists():
            return
        target = report or (REPORTS / REPORT if REPORTS.is_dir() else None)
        if target is not None:
            shutil.copyfile(self._report, target)

    def _bound(self, end: signal.Signals) -> None:
        """In a new process: end with the launcher, by that signal, and take signals again."""
        ctypes.CDLL(None).prctl(_PARENT_DEATH, end)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def _joined(first: Path) -> str:
    """PYTHONPATH with another folder before the others."""
    others = os.environ.get("PYTHONPATH")
    return f"{first}{os.pathsep}{others}" if others else str(first)
