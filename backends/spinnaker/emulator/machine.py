"""The process of the emulated machine: ``python -m backends.spinnaker.emulator.machine``.

Started by the launcher. It writes the address it answers at to the pipe --ready, and ends, leaving
its report, when its standard input is closed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from .board import Board
from .server import NoAddress, Server, private_address

EVERY = 10.0
"""s between two lines that tell how far a run is."""
REST = 1.0
"""s without a computation, after which it is another one."""


class Progress:
    """Says now and then how far the chips are, in runs that take long."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._said = self._moved = 0.0

    def moved(self) -> None:
        now = time.monotonic()
        if now - self._moved > REST:  # another run begins
            self._said = now
        self._moved = now
        if now - self._said > EVERY:
            self._said = now
            say(f"computing, at tick {self._board.tick}")


def say(line: str) -> None:
    print(f"emulator: {line}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the script's; this ends after it
    signal.signal(signal.SIGTERM, _leave)
    launcher = os.getppid()
    try:
        sock, address = private_address()
    except NoAddress as error:
        os.write(arguments.ready, f"error {error}\n".encode())
        return 1
    board = Board(arguments.workers)
    try:
        progress = Progress(board)
        server = Server(board, sock, address, say, progress.moved)
        os.write(arguments.ready, f"address {address}\n".encode())
        os.close(arguments.ready)
        server.serve(sys.stdin.fileno())
        for warning in board.warnings():
            say(f"warning: {warning}")
        with contextlib.suppress(OSError):
            arguments.report.write_text(board.report(), encoding="utf-8")
    finally:
        board.close()
        sock.close()
        if os.getppid() != launcher:  # it was killed, and has left its folder
            shutil.rmtree(arguments.report.parent, ignore_errors=True)
    return 0


def _leave(*_: object) -> None:
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
