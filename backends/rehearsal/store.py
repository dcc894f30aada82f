"""What the queue remembers, in one sqlite file, so that it can stop and start at any moment."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """Numbered JSON documents of several kinds ("job", "project", ...). Safe between threads."""

    def __init__(self, path: Path) -> None:
        self.changed = threading.Condition()
        """Notified after every change."""
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        with self.changed:
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"  # safe from a kill -9
                "CREATE TABLE IF NOT EXISTS documents"
                " (kind TEXT, number INTEGER, body TEXT, PRIMARY KEY (kind, number));"
                "CREATE TABLE IF NOT EXISTS counters (kind TEXT PRIMARY KEY, last INTEGER);"
            )

    def close(self) -> None:
        with self.changed:
            self._database.close()

    def next_number(self, kind: str) -> int:
        """Use up a number; numbers are never given twice."""
        with self.changed:
            row = self._database.execute(
                "INSERT INTO counters VALUES (?, 1)"
                " ON CONFLICT (kind) DO UPDATE SET last = last + 1 RETURNING last",
                (kind,),
            ).fetchone()
            return int(row[0])

    def put(self, kind: str, number: int, body: Document) -> None:
        with self.changed:
            self._database.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                (kind, number, json.dumps(body)),
            )
            self.changed.notify_all()

    def get(self, kind: str, number: int) -> Document | None:
        with self.changed:
            row = self._database.execute(
                "SELECT body FROM documents WHERE kind = ? AND number = ?", (kind, number)
            ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def remove(self, kind: str, number: int) -> None:
        with self.changed:
            self._database.execute(
                "DELETE FROM documents WHERE kind = ? AND number = ?", (kind, number)
            )
            self.changed.notify_all()

    def all(self, kind: str) -> list[Document]:
        """Every document of a kind, by number."""
        with self.changed:
            rows = self._database.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [dict(json.loads(row[0])) for row in rows]

    def wait(self, until: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition on the documents holds; False if it does not in `timeout` s."""
        with self.changed:
            return self.changed.wait_for(until, timeout)
