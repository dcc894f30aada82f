"""The bodies that the queue accepts; pydantic's refusals of anything else are the service's own."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import AnyUrl, BaseModel, StringConstraints

Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=100)]


class Status(enum.StrEnum):
    """Every state a job can be put into; there are no rules on which follows which."""

    SUBMITTED = "submitted"
    VALIDATED = "validated"
    RUNNING = "running"
    MAPPED = "mapped"
    FINISHED = "finished"
    ERROR = "error"
    REMOVED = "removed"


class ProjectStatus(enum.StrEnum):
    """The states of a request for resources."""

    IN_PREPARATION = "in preparation"
    ACCEPTED = "accepted"
    UNDER_REVIEW = "under review"
    REJECTED = "rejected"


class DataItem(BaseModel):
    """A file somewhere else; only its address is certain."""

    url: AnyUrl
    path: str | None = None
    content_type: str | None = None
    size: int | None = None
    hash: str | None = None


class DataSet(BaseModel):
    """The output of a job."""

    repository: str
    files: list[DataItem]


class SubmittedJob(BaseModel):
    """What a user posts. Other fields are ignored, also ones that a job has."""

    code: str
    command: str | None = ""
    collab: str
    input_data: list[DataItem] | None = None
    hardware_platform: str
    hardware_config: dict[str, Any] | None = None
    tags: list[Tag] | None = None


class ResourceUsage(BaseModel):
    """What a job has used up, in the units of its platform."""

    value: float
    units: str


class JobUpdate(BaseModel):
    """What a provider puts; everything is optional."""

    status: Status | None = None
    output_data: DataSet | None = None
    provenance: dict[str, Any] | None = None
    resource_usage: ResourceUsage | None = None
    log: str | None = None


class CommentBody(BaseModel):
    content: Annotated[str, StringConstraints(min_length=1)]


class ProjectSubmission(BaseModel):
    """A new request for resources."""

    collab: str
    title: str
    abstract: str
    description: str | None = ""


class ProjectUpdate(BaseModel):
    title: str | None = None
    abstract: str | None = None
    description: str | None = None
    status: ProjectStatus | None = None


class QuotaSubmission(BaseModel):
    limit: float
    platform: str
    units: str


class QuotaUpdate(BaseModel):
    usage: float | None = None
    limit: float | None = None


class SessionStart(BaseModel):
    """Interactive use, as a provider announces it."""

    collab: str
    user_id: str
    hardware_platform: str
    hardware_config: dict[str, Any] | None = None


class SessionUpdate(BaseModel):
    status: str
    resource_usage: ResourceUsage | None = None
