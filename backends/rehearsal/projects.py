"""Projects (requests for resources) and their quotas, with the demonstration quota."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable

from .identity import Identity, User
from .store import Document, Store

UNITS = {
    "SpiNNaker": "core-hours",
    "Demo": "hours",
    "TestPlatform": "bushels",
    "Test": "bushels",
    "BrainScaleS": "wafer-hours",
    "BrainScaleS-ESS": "hours",
    "BrainScaleS-2": "chip-hours",
    "Spikey": "hours",
}
DEMO_LIMITS = {"SpiNNaker": 5000.0, "Demo": 1.0}
"""The quota that a collab's first job on a platform gives it by itself."""

DEMO_ABSTRACT = (
    "This project was created automatically for demonstration/testing purposes. It gives you a "
    "test quota for the {platform} platform. All members of the '{collab}' collab workspace can "
    "use this quota. When the test quotas are used up, a project has to be created and accepted "
    "before further jobs can be submitted."
)


def units_of(platform: str) -> str:
    return UNITS.get(platform, "hours")


class Projects:
    """The projects of every collab."""

    def __init__(
        self, store: Store, identity: Identity, now: Callable[[], datetime.datetime]
    ) -> None:
        self.store = store
        self.identity = identity
        self.now = now

    # --- quotas, as jobs need them

    def quota_left(self, user: User, collab: str, platform: str) -> bool:
        """Whether a job may be submitted; makes the demonstration quota if there is no other."""
        quotas = self._quotas_for(collab, platform)
        if quotas:
            return any(quota["usage"] < quota["limit"] for quota in quotas)
        if platform not in DEMO_LIMITS:
            return False
        today = self.now().date().isoformat()
        project = self.create(
            {
                "collab": collab,
                "title": f"Test access for the {platform} platform in collab '{collab}'",
                "abstract": DEMO_ABSTRACT.format(platform=platform, collab=collab),
                "description": "",
                "status": "accepted",
                "owner": user.name,
                "submission_date": today,
                "decision_date": today,
            }
        )
        self.add_quota(project, DEMO_LIMITS[platform], platform, units_of(platform))
        return True

    def charge(self, collab: str, platform: str, value: float) -> None:
        """Take `value` off a quota; what a quota does not hold is forgiven."""
        quotas = self._quotas_for(collab, platform)
        for quota in [q for q in quotas if q["usage"] < q["limit"]][:1]:
            quota["usage"] = min(quota["limit"], quota["usage"] + value)
            self.store.put("quota", quota["id"], quota)

    def _quotas_for(self, collab: str, platform: str) -> list[Document]:
        accepted = {
            project["id"]
            for project in self.store.all("project")
            if project["collab"] == collab and project["status"] == "accepted"
        }
        return [
            quota
            for quota in self.store.all("quota")
            if quota["project"] in accepted and quota["platform"] == platform
        ]

    # --- projects

    def create(self, body: Document) -> Document:
        number = self.store.next_number("project")
        project = {**body, "id": str(uuid.uuid4()), "number": number}
        self.store.put("project", number, project)
        return project

    def save(self, project: Document) -> None:
        self.store.put("project", project["number"], project)

    def all(self) -> list[Document]:
        return self.store.all("project")

    def get(self, project_id: uuid.UUID) -> Document | None:
        for project in self.store.all("project"):
            if project["id"] == str(project_id):
                return project
        return None

    def add_quota(self, project: Document, limit: float, platform: str, units: str) -> None:
        number = self.store.next_number("quota")
        quota = {
            "id": number,
            "limit": limit,
            "usage": 0.0,
            "platform": platform,
            "units": units,
            "project": project["id"],
        }
        self.store.put("quota", number, quota)

    def quotas(self, project: Document) -> list[Document]:
        return [q for q in self.store.all("quota") if q["project"] == project["id"]]

    def view(self, project: Document) -> Document:
        names = ("collab", "title", "abstract", "description", "status", "id", "owner")
        return {
            **{name: project[name] for name in names},
            "submission_date": project["submission_date"],
            "decision_date": project["decision_date"],
            "resource_uri": f"/projects/{project['id']}",
            "quotas": [quota_view(quota) for quota in self.quotas(project)],
        }


def quota_view(quota: Document) -> Document:
    uri = f"/projects/{quota['project']}"
    return {
        **{name: quota[name] for name in ("limit", "usage", "platform", "units")},
        "project": uri,
        "resource_uri": f"{uri}/quotas/{quota['id']}",
    }
