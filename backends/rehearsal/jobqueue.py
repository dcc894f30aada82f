"""The queue's own rules: who may do what to a job, what a change does, and how a job reads."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .identity import Identity, User
from .models import DataItem, JobUpdate, Status, SubmittedJob
from .projects import Projects, units_of
from .store import Document, Store
from .views import FAKE_REPOSITORY, REPOSITORIES, output_view, raw_view, submitted_view

LARGEST = 2**31 - 1
LONGEST_COMMAND = 500


class Refused(Exception):
    """The service declines; status and detail are its answer."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


class Crash(Exception):
    """Here the real service fails inside: 500 in plain text, and the connection is closed."""


@dataclass(frozen=True)
class Provider:
    """Somebody with a provider's key."""

    platforms: tuple[str, ...]

    def allow(self, platform: str) -> None:
        if platform not in self.platforms:
            raise Refused(
                403,
                "The provided API key does not allow access to jobs, sessions, or quotas "
                f"for {platform}",
            )


Who = User | Provider


@dataclass
class Filters:
    """Which jobs a list is to have."""

    status: list[Status] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    collab: list[str] = field(default_factory=list)
    user_id: list[str] = field(default_factory=list)
    hardware_platform: list[str] = field(default_factory=list)
    date_range_start: datetime.date | None = None
    date_range_end: datetime.date | None = None
    as_admin: bool = False


class JobQueue:
    """The jobs of the service."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self.store = store
        self.identity = identity
        self.projects = Projects(store, identity, now)
        self.now = now

    # --- users

    def submit(self, user: User, job: SubmittedJob) -> Document:
        if not user.roles_known:
            raise Crash
        if not self.identity.may_edit(user, job.collab):
            raise Refused(
                404, "You do not have access to this collab or there is no collab with this id"
            )
        if not self.projects.quota_left(user, job.collab, job.hardware_platform):
            raise Refused(403, "You do not have sufficient compute quota to submit this job")
        if "\0" in job.code or job.code.startswith("drive://"):
            raise Crash
        number = self.store.next_number("job")
        if len(job.command or "") > LONGEST_COMMAND:
            raise Crash
        body: Document = {
            "id": number,
            "code": job.code,
            "command": job.command or "",
            "collab": job.collab,
            "user_id": user.name,
            "status": Status.SUBMITTED.value,
            "hardware_platform": job.hardware_platform,
            "hardware_config": job.hardware_config or None,
            "timestamp_submission": self.now().isoformat(),
            "timestamp_completion": None,
            "provenance": None,
            "resource_usage": None,
            "input_data": self._items(job.input_data or []),
            "output_data": [],
            "tags": sorted(set(job.tags or [])),
            "log": None,
        }
        self.store.put("job", number, body)
        return submitted_view(body)

    def find(self, who: Who, filters: Filters, start: int, size: int) -> list[Document]:
        """The jobs that fit, newest first."""
        if start < 0 or size < 0:
            raise Crash
        fitting = [job for job in self._visible(who, filters) if _fits(job, filters)]
        return sorted(fitting, key=lambda job: -int(job["id"]))[start : start + size]

    def _visible(self, who: Who, filters: Filters) -> Iterable[Document]:
        jobs = self.store.all("job")
        if isinstance(who, Provider):
            for platform in filters.hardware_platform:
                who.allow(platform)
            return (job for job in jobs if job["hardware_platform"] in who.platforms)
        if filters.as_admin:
            if not who.is_admin:
                raise Refused(403, "The token provided does not give admin privileges")
            return jobs
        if filters.collab:
            for collab in filters.collab:
                if not self.identity.may_view(who, collab):
                    raise Refused(403, f"You do not have permission to view collab {collab}")
            return jobs
        if len(filters.user_id) > 1:
            raise Refused(
                400,
                "Only admins can directly query other users' jobs or sessions, "
                "try querying by collab",
            )
        if filters.user_id and filters.user_id != [who.name]:
            raise Refused(
                403,
                f"User id provided ({filters.user_id[0]}) does not match "
                f"authentication token ({who.name})",
            )
        return (job for job in jobs if job["user_id"] == who.name)

    def get(self, who: Who, number: int) -> Document:
        """The job as it is stored, if `who` may see it."""
        job = self._job(number)
        if isinstance(who, Provider):
            seen = job["hardware_platform"] in who.platforms
        else:
            seen = (
                who.is_admin
                or job["user_id"] == who.name
                or self.identity.may_view(who, job["collab"])
            )
        if not seen:
            raise self._no_job(number)
        return job

    def remove(self, user: User, number: int, as_admin: bool) -> None:
        """Delete softly; nobody tells the provider."""
        job = self._job(number)
        if as_admin and user.is_admin:
            self.store.remove("job", number)
            return
        if job["user_id"] != user.name:
            raise Crash
        self.store.put("job", number, {**job, "status": Status.REMOVED.value})

    def edit_tags(self, user: User, number: int, add: list[str], drop: list[str]) -> list[str]:
        job = self.get(user, number)
        if job["user_id"] != user.name and not self.identity.may_edit(user, job["collab"]):
            raise self._no_job(number)
        tags = sorted((set(job["tags"]) | {tag.strip() for tag in add}) - set(drop))
        self.store.put("job", number, {**job, "tags": tags})
        return tags

    def move_output(self, user: User, number: int, repository: str) -> Document | None:
        """Copy the output elsewhere; None if it is there already."""
        job = self.get(user, number)
        data = output_view(job)
        if data is None or job["user_id"] != user.name:
            raise Crash
        if data["repository"] == repository:
            return None
        if repository == "EBRAINS Drive":
            raise Crash
        if repository != FAKE_REPOSITORY:
            raise Refused(422, f"Repository '{repository}' does not exist or is not supported")
        prefix = REPOSITORIES["example.com"][1]
        moved = [
            {**item, "path": item["path"] or "", "url": prefix + (item["path"] or "")}
            for item in data["files"]
        ]
        stored = [dict(item) for item in job["output_data"]]
        for new in moved:  # by hash: items without one are all taken for the same
            for item in stored:
                if item["hash"] == new["hash"]:
                    item.update(url=new["url"], path=new["path"])
        self.store.put("job", number, {**job, "output_data": stored})
        return {"repository": repository, "files": moved}

    # --- providers

    def next(self, provider: Provider, platform: str) -> Document:
        """The oldest submitted job. It is the same one again until its status is changed."""
        provider.allow(platform)
        for job in self.store.all("job"):
            if job["hardware_platform"] == platform and job["status"] == Status.SUBMITTED.value:
                return job
        raise Refused(404, f"No queued job for {platform}")

    def update(self, provider: Provider, number: int, change: JobUpdate) -> Document:
        """Change a job, a removed one too; the answer is the raw row."""
        job = self._job(number)
        provider.allow(job["hardware_platform"])
        if change.status is not None:
            job["status"] = change.status.value
            if change.status in (Status.FINISHED, Status.ERROR):
                job["timestamp_completion"] = self.now().isoformat()
        if change.output_data is not None:
            job["output_data"] += self._items(change.output_data.files)
        if change.provenance is not None:
            job["provenance"] = change.provenance
        if change.log:
            job["log"] = change.log
        if change.resource_usage is not None:
            job["resource_usage"] = change.resource_usage.value
        self.store.put("job", number, job)
        if change.resource_usage is not None:
            units, given = units_of(job["hardware_platform"]), change.resource_usage.units
            if given != units:
                raise Refused(
                    400,
                    f"Invalid units ({given}) for resource usage. Expected units: {units}",
                )
            self.projects.charge(
                job["collab"], job["hardware_platform"], change.resource_usage.value
            )
        return raw_view(job)

    def set_log(self, provider: Provider, number: int, text: str) -> None:
        job = self._job(number)
        provider.allow(job["hardware_platform"])
        self.store.put("job", number, {**job, "log": text})

    # --- both

    def _job(self, number: int) -> Document:
        if number > LARGEST:
            raise Crash
        job = self.store.get("job", number)
        if job is None:
            raise self._no_job(number)
        return job

    def _no_job(self, number: int) -> Refused:
        return Refused(
            404, f"Either there is no job with id {number}, or you do not have access to it"
        )

    def _items(self, items: Iterable[DataItem]) -> list[Document]:
        stored = []
        for item in items:
            if (item.size or 0) > LARGEST:
                raise Crash
            number = self.store.next_number("data item")
            stored.append({"id": number, **item.model_dump(mode="json")})
        return stored


def _fits(job: Document, filters: Filters) -> bool:
    if job["status"] == Status.REMOVED.value:
        return False
    if filters.tags and not set(filters.tags) & set(job["tags"]):
        return False
    day = datetime.datetime.fromisoformat(job["timestamp_submission"]).date()
    if filters.date_range_start and day < filters.date_range_start:
        return False
    if filters.date_range_end and day > filters.date_range_end:
        return False
    wanted: list[tuple[str, Iterable[str]]] = [
        ("status", [status.value for status in filters.status]),
        ("collab", filters.collab),
        ("user_id", filters.user_id),
        ("hardware_platform", filters.hardware_platform),
    ]
    return all(not values or job[name] in values for name, values in wanted)
