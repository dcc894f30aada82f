"""A job's log: the whole text each time it is asked for, shorter again if the job began anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..runstore import write_text

FILE = "log.txt"
END = 30
"""Lines of the log that an error carries."""


def end_of(text: str) -> str:
    return "\n".join(text.splitlines()[-END:])


def read(folder: Path) -> str:
    """What was kept of the log."""
    path = folder / FILE
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def keep(folder: Path, text: str) -> None:
    """Keep the log so far. A job that was started again has a new one; the old one is kept too."""
    path, old = folder / FILE, read(folder)
    if text == old or (not text and old):
        return
    if not text.startswith(old):
        number = 1
        while (folder / f"log.{number}.txt").exists():
            number += 1
        path.rename(folder / f"log.{number}.txt")
    write_text(path, text)


class Follower:
    """Passes on what is new in each text."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str, on_log: Callable[[str], None] | None) -> None:
        if on_log is None or text == self._shown:
            return
        if text.startswith(self._shown):
            on_log(text[len(self._shown) :])
        else:
            on_log(f"--- the job began anew ---\n{text}")
        self._shown = text
