"""What every command shares: how it ends, how it shows progress, where the runs are.

Exit status: 0 success; 2 the input was refused before anything started; 1 it failed later;
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from backends import (
    BackendError,
    BackendUnavailable,
    RunIncomplete,
    RunStore,
    UnknownBackend,
    UnsupportedExperiment,
)
from pynn_model.schema import ExperimentError

REFUSED = (
    ExperimentError,
    UnknownBackend,
    BackendUnavailable,
    UnsupportedExperiment,
    RunIncomplete,
)
"""Errors of the input: exit status 2."""

INTERRUPTED = 130


def parser(name: str, description: str, example: str) -> argparse.ArgumentParser:
    """An argument parser that shows `example` (a command and what it does) in its help."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an option that is not spelt out is a misspelt one
    )


def add_experiment(
    arguments: argparse.ArgumentParser, backends: str, default: str | None = None
) -> None:
    """The arguments BACKEND and EXPERIMENT, and --set.

    backends: some names, for the help. default: the experiment that need not be named.
    """
    arguments.add_argument("backend", help=f"{backends} (see: backends)")
    arguments.add_argument(
        "experiment",
        nargs="?" if default else None,
        default=default,
        help="a ready experiment's name or a TOML file"
        + (f" (default: {default})" if default else ""),
    )
    arguments.add_argument(
        "--set",
        dest="changes",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change one value of the experiment; may be given again",
    )


def add_runs(arguments: argparse.ArgumentParser) -> None:
    """The --runs option, the folder of the runs."""
    arguments.add_argument(
        "--runs", default="runs", metavar="DIR", help="folder of the runs (default: runs)"
    )


def add_service(arguments: argparse.ArgumentParser) -> None:
    """The options of a remote service; a token is never one of them."""
    group = arguments.add_argument_group("remote service (spinnaker, ebrains-demo)")
    group.add_argument("--settings", metavar="FILE", help="its settings (TOML)")
    group.add_argument("--base-url", metavar="URL", help="the service's address")
    group.add_argument("--collab", metavar="NAME", help="default: your private space")


def service_options(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of :func:`add_service`, as options of a backend."""
    names = ("settings", "base_url", "collab")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def tell(text: str) -> None:
    """Say what happens meanwhile, where it is not taken for the command's output."""
    print(text, file=sys.stderr, flush=True)


def show_log(text: str) -> None:
    """Pass on a piece of a job's log, without what could take a terminal over."""
    text = text.replace("\x1b", "")
    sys.stderr.write(text if text.endswith("\n") else text + "\n")
    sys.stderr.flush()


def resolve(run: str, runs: str) -> Path:
    """A run's id or folder as the folder of a complete run; any other file as it is.

    Raises RunIncomplete for what is neither.
    """
    if Path(run).is_file():
        return Path(run)
    return RunStore(runs).find(run).path


def finish(command: Callable[[Sequence[str] | None], int], *refused: type[Exception]) -> NoReturn:
    """Run a command and leave with its exit status; errors are said in words.

    refused: what else, beside REFUSED, means that the input was at fault.
    """
    try:
        status = command(None)
        sys.stdout.flush()
    except (*REFUSED, *refused) as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except (BackendError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was kept as a result", file=sys.stderr)
        status = INTERRUPTED
    if status == INTERRUPTED:
        # An interrupt that hits inside an import can make Python end by the signal at its very
        # end (a flag of its own that nothing clears), although it was dealt with here.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    sys.exit(status)


class ProgressLine:
    """A line on the terminal that grows during the simulation; nothing at all in a pipe."""

    WIDTH = 30

    def __init__(self, title: str) -> None:
        self.title = title
        self.on = sys.stderr.isatty()
        self._begun = time.monotonic()
        self._drawn = False
        if self.on:
            self._draw(f"{title}: starting")

    def __call__(self, fraction: float) -> None:
        if self.on:
            done = int(fraction * self.WIDTH)
            bar = "#" * done + "." * (self.WIDTH - done)
            seconds = time.monotonic() - self._begun
            self._draw(f"{self.title}: [{bar}] {fraction:4.0%} {seconds:5.1f} s")

    def _draw(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
        self._drawn = True

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False
