"""job.json: all that is needed to go on with a remote job, from any process that has its folder."""

from __future__ import annotations

import dataclasses
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base import JobState, RunIncomplete
from ..runstore import write_text

FILE = "job.json"
FORMAT = 1

STATES = {
    "submitted": JobState.QUEUED,
    "validated": JobState.QUEUED,
    "running": JobState.RUNNING,
    "mapped": JobState.RUNNING,
    "finished": JobState.FINISHED,
    "error": JobState.FAILED,
    "removed": JobState.INTERRUPTED,
}
"""The service's states. One that is not here is kept by its name and counts as going on."""


def meaning(service_state: str) -> JobState:
    return STATES.get(service_state, JobState.RUNNING)


def new_tag() -> str:
    """A tag that no other job bears."""
    return f"pynn-run-{uuid.uuid4().hex}"


@dataclass
class JobRecord:
    """One remote job. Never holds a token.

    attempts: one entry a POST, written before it: {"at": time, "outcome": "" while unknown,
    "refused" (it certainly had no effect) or "accepted"}.
    states: {"state": the service's word, "at": when it was first seen}.
    ended: "" while there is hope, "failed" or "removed" (and `why`) when there will be no result.
    outputs: url -> {"name", "validator", "sha256", "size", "problem"}.
    previous: earlier jobs of this run that were removed.
    """

    run_id: str
    backend: str
    tag: str
    base_url: str
    collab: str
    platform: str
    digest: str
    run_py_sha256: str
    hardware_config: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    experiment: str = ""
    created: str = ""
    attempts: list[dict[str, str]] = field(default_factory=list)
    job_id: int | None = None
    states: list[dict[str, str]] = field(default_factory=list)
    ended: str = ""
    why: str = ""
    cancelled: str = ""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    previous: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    format: int = FORMAT

    @property
    def service_state(self) -> str:
        """The service's last word; "" if it has said nothing yet."""
        return self.states[-1]["state"] if self.states else ""

    @property
    def doubtful(self) -> bool:
        """Whether a POST was begun whose outcome is not known."""
        return any(attempt["outcome"] == "" for attempt in self.attempts)

    def saw(self, state: str, at: str) -> bool:
        """Note a state; whether it is another one than before."""
        if state == self.service_state:
            return False
        self.states.append({"state": state, "at": at})
        return True

    def save(self, folder: Path) -> None:
        text = json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True, allow_nan=False)
        write_text(folder / FILE, text + "\n")

    @classmethod
    def load(cls, folder: Path) -> JobRecord | None:
        """The record in a folder; None if there is none; RunIncomplete if it cannot be read."""
        try:
            table = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunIncomplete(f"{folder / FILE}: cannot be read: {error}") from None
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise RunIncomplete(f"{folder / FILE}: of another version of this program")
        try:
            return cls(**table)
        except TypeError as error:
            raise RunIncomplete(f"{folder / FILE}: {error}") from None
