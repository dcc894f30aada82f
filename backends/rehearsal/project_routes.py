"""Projects (requests for resources) and quotas."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from .access import Bearer, MaybeBearer, MaybeKey, Queue, either, user_of
from .identity import User
from .jobqueue import Crash, JobQueue, Provider
from .models import (
    ProjectStatus,
    ProjectSubmission,
    ProjectUpdate,
    QuotaSubmission,
    QuotaUpdate,
)
from .projects import quota_view
from .store import Document

router = APIRouter()


@router.get("/collabs/")
async def collabs(queue: Queue, token: Bearer) -> Any:
    user = user_of(queue, token)
    known = {project["collab"] for project in queue.projects.all()}
    return sorted(collab for collab in known if queue.identity.may_edit(user, collab))


@router.get("/projects/")
async def list_projects(
    queue: Queue,
    token: MaybeBearer,
    key: MaybeKey,
    collab: Annotated[list[str] | None, Query()] = None,
    status: ProjectStatus | None = None,
) -> Any:
    who = either(queue, token, key)
    if isinstance(who, Provider):
        if not collab:
            raise HTTPException(400, "If authenticating via API key, a collab must be specified")
        if status not in (None, ProjectStatus.ACCEPTED):
            raise HTTPException(400, "If authenticating via API key, status must be 'accepted'")
        status = ProjectStatus.ACCEPTED
    else:
        for name in collab or []:
            if not queue.identity.may_edit(who, name):
                raise HTTPException(403, f"You do not have permission to view collab {name}")
    return [
        queue.projects.view(project)
        for project in queue.projects.all()
        if _listed(queue, who, project, collab, status)
    ]


def _listed(
    queue: JobQueue,
    who: User | Provider,
    project: Document,
    collab: list[str] | None,
    status: ProjectStatus | None,
) -> bool:
    if status is not None and project["status"] != status.value:
        return False
    if collab:
        return project["collab"] in collab
    return isinstance(who, User) and queue.identity.may_edit(who, project["collab"])


@router.post("/projects/", status_code=201)
async def create_project(queue: Queue, token: Bearer, project: ProjectSubmission) -> Any:
    user = user_of(queue, token)
    if not queue.identity.may_edit(user, project.collab):
        raise HTTPException(403, "You do not have permisson to create projects in this Collab")
    body = {
        **project.model_dump(),
        "status": ProjectStatus.IN_PREPARATION.value,
        "owner": user.name,
        "submission_date": None,
        "decision_date": None,
    }
    return queue.projects.view(queue.projects.create(body))


def _project(queue: JobQueue, project_id: uuid.UUID) -> Document:
    project = queue.projects.get(project_id)
    if project is None:
        raise HTTPException(404, f"There is no project with id {project_id}")
    return project


def _visible_project(queue: JobQueue, token: str, project_id: uuid.UUID) -> Document:
    user = user_of(queue, token)
    project = _project(queue, project_id)
    if not user.is_admin and not queue.identity.may_view(user, project["collab"]):
        raise HTTPException(403, "You do not have access to this project")
    return project


@router.get("/projects/{project_id}")
async def get_project(queue: Queue, token: Bearer, project_id: uuid.UUID) -> Any:
    return queue.projects.view(_visible_project(queue, token, project_id))


@router.put("/projects/{project_id}")
async def update_project(
    queue: Queue,
    token: Bearer,
    project_id: uuid.UUID,
    change: ProjectUpdate,
    as_admin: bool = False,
) -> Any:
    user = user_of(queue, token)
    project = _project(queue, project_id)
    today = queue.now().date().isoformat()
    decided = (ProjectStatus.ACCEPTED, ProjectStatus.REJECTED)
    if as_admin and user.is_admin:
        if change.status is not None and change.status.value == project["status"]:
            return Response(status_code=204)
        if change.status in decided:
            project["decision_date"] = today
    else:
        if not queue.identity.may_edit(user, project["collab"]):
            raise HTTPException(403, "You do not have permission to modify this project.")
        if change.status in decided:
            raise HTTPException(
                403, "You do not have permission to change the status of this project."
            )
        if project["status"] != ProjectStatus.IN_PREPARATION.value:
            raise HTTPException(403, "Can't edit a submitted form.")
        if change.status is ProjectStatus.UNDER_REVIEW:
            project["submission_date"] = today
    queue.projects.save({**project, **change.model_dump(mode="json", exclude_none=True)})
    return 201


@router.get("/projects/{project_id}/quotas/")
async def list_quotas(queue: Queue, token: Bearer, project_id: uuid.UUID) -> Any:
    project = _visible_project(queue, token, project_id)
    return [quota_view(quota) for quota in queue.projects.quotas(project)]


@router.post("/projects/{project_id}/quotas/", status_code=201)
async def add_quota(
    queue: Queue, token: Bearer, project_id: uuid.UUID, quota: QuotaSubmission
) -> None:
    if not user_of(queue, token).is_admin:
        raise HTTPException(404, "Only admins can add quotas")
    project = _project(queue, project_id)
    queue.projects.add_quota(project, quota.limit, quota.platform, quota.units)


def _quota(queue: JobQueue, project: Document, quota_id: int) -> Document:
    for quota in queue.projects.quotas(project):
        if quota["id"] == quota_id:
            return quota
    raise HTTPException(404, f"There is no quota with id {quota_id}")


@router.get("/projects/{project_id}/quotas/{quota_id}")
async def get_quota(queue: Queue, token: Bearer, project_id: uuid.UUID, quota_id: int) -> Any:
    return quota_view(_quota(queue, _visible_project(queue, token, project_id), quota_id))


@router.put("/projects/{project_id}/quotas/{quota_id}")
async def update_quota(
    queue: Queue,
    token: MaybeBearer,
    key: MaybeKey,
    project_id: uuid.UUID,
    quota_id: int,
    change: QuotaUpdate,
) -> None:
    who = either(queue, token, key)
    if isinstance(who, User) and not who.is_admin:
        raise HTTPException(404, "Only admins can update quotas")
    quota = _quota(queue, _project(queue, project_id), quota_id)
    if isinstance(who, Provider):
        who.allow(quota["platform"])
    if change.limit is None or change.usage is None:
        raise Crash
    queue.store.put("quota", quota_id, {**quota, "limit": change.limit, "usage": change.usage})
