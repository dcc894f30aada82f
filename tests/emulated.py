"""Running scripts with the emulated SpiNNaker from tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
IN_MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory, if there is such a place: sPyNNaker commits to a database at each of
    its many steps, which takes most of the time on a disk."""
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="emulated-", dir=parent) as folder:
        yield Path(folder)


def run(folder: Path, script: str, *arguments: str) -> None:
    """Run one of the scripts beside this file, in a folder that is its home, too."""
    subprocess.run(
        [sys.executable, "-m", "backends.spinnaker.emulator", str(HERE / script), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
