"""How a job reads: to users and providers, in the answer to a submission, and as the raw row."""

from __future__ import annotations

import json
from typing import Any

from .projects import units_of
from .store import Document

FAKE_REPOSITORY = "Fake repository used for testing"
REPOSITORIES = {
    "spinnaker.cs.man.ac.uk": (
        "SpiNNaker Manchester temporary storage",
        "https://spinnaker.cs.man.ac.uk/services/rest/output/",
    ),
    "example.com": (FAKE_REPOSITORY, "https://example.com/"),
}
"""Host of the data -> what the service calls the place, and what it cuts off for the path."""
UNKNOWN_REPOSITORY = "unknown data repository"


def zulu(timestamp: str | None) -> str | None:
    return None if timestamp is None else timestamp.replace("+00:00", "Z")


def _item_view(item: Document) -> Document:
    return {name: item[name] for name in ("url", "path", "content_type", "size", "hash")}


def submitted_view(job: Document) -> Document:
    """The answer to a submission."""
    return {
        **{name: job[name] for name in ("code", "command", "collab")},
        "input_data": [_item_view(item) for item in job["input_data"]],
        **{name: job[name] for name in ("hardware_platform", "hardware_config", "tags")},
        **{name: job[name] for name in ("id", "user_id", "status")},
        "timestamp_submission": zulu(job["timestamp_submission"]),
        "resource_uri": f"/jobs/{job['id']}",
    }


def output_view(job: Document) -> Document | None:
    """The output; its place, and a path that was not given, are worked out from the address."""
    items = [_item_view(item) for item in job["output_data"]]
    if not items:
        return None
    host = items[0]["url"].partition("//")[2].partition("/")[0]
    repository, prefix = REPOSITORIES.get(host, (UNKNOWN_REPOSITORY, ""))
    for item in items:
        if item["path"] is None and prefix:
            item["path"] = item["url"][len(prefix) :]
    return {"repository": repository, "files": items}


def job_view(job: Document, log: bool = False, comments: list[Document] | None = None) -> Document:
    """A job as users and providers read it."""
    usage: dict[str, Any] | None = None
    if job["resource_usage"] is not None:
        usage = {"value": job["resource_usage"], "units": units_of(job["hardware_platform"])}
    return {
        **submitted_view(job),
        "output_data": output_view(job),
        "provenance": job["provenance"],
        "timestamp_completion": zulu(job["timestamp_completion"]),
        "resource_usage": usage,
        "comments": comments or None,
        "log": job["log"] if log else None,
    }


def raw_view(job: Document) -> Document:
    """A job as the answer to a provider's PUT has it: the row of the database."""
    row = {name: value for name, value in job.items() if name not in ("collab", "log")}
    provenance = job["provenance"]
    return {
        **row,
        "collab_id": job["collab"],
        "provenance": None if provenance is None else json.dumps(provenance),
    }
