"""The calls on jobs, their logs, tags and output."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request, Response
from fastapi.responses import PlainTextResponse

from .access import (
    Bearer,
    Distorted,
    Key,
    MaybeBearer,
    MaybeKey,
    Queue,
    either,
    provider_of,
    user_of,
)
from .comment_routes import comments_of
from .jobqueue import Crash, Filters, Provider
from .models import DataSet, JobUpdate, Status, SubmittedJob, Tag
from .views import job_view

router = APIRouter()


def _filters(
    status: Annotated[list[Status] | None, Query()] = None,
    tags: Annotated[list[str] | None, Query()] = None,
    collab: Annotated[list[str] | None, Query()] = None,
    user_id: Annotated[list[str] | None, Query()] = None,
    hardware_platform: Annotated[list[str] | None, Query()] = None,
    date_range_start: datetime.date | None = None,
    date_range_end: datetime.date | None = None,
    as_admin: bool = False,
) -> Filters:
    return Filters(
        status or [],
        tags or [],
        collab or [],
        user_id or [],
        hardware_platform or [],
        date_range_start,
        date_range_end,
        as_admin,
    )


@router.get("/jobs/")
async def list_jobs(
    queue: Queue,
    distorted: Distorted,
    token: MaybeBearer,
    key: MaybeKey,
    filters: Annotated[Filters, Depends(_filters)],
    size: int = 10,
    from_index: int = 0,
) -> Any:
    who = either(queue, token, key)
    if isinstance(who, Provider):
        return [job_view(job) for job in queue.find(who, filters, from_index, size)]
    found = queue.find(who, filters, distorted.page(from_index), size)
    return [distorted.job(job_view(job)) for job in found]


@router.post("/jobs/", status_code=201)
async def submit(queue: Queue, token: Bearer, job: SubmittedJob) -> Any:
    return queue.submit(user_of(queue, token), job)


@router.get("/jobs/next/{platform}")
async def next_job(queue: Queue, key: Key, platform: str) -> Any:
    return job_view(queue.next(provider_of(queue, key), platform))


@router.get("/jobs/{job_id}")
async def get_job(
    queue: Queue,
    distorted: Distorted,
    token: MaybeBearer,
    key: MaybeKey,
    job_id: int,
    with_log: bool = False,
    with_comments: bool = False,
) -> Any:
    who = either(queue, token, key)
    job = queue.get(who, job_id)
    comments = comments_of(queue, job_id) if with_comments else None
    view = job_view(job, with_log, comments)
    return view if isinstance(who, Provider) else distorted.job(view)


@router.put("/jobs/{job_id}")
async def update_job(queue: Queue, key: Key, job_id: int, change: JobUpdate) -> Any:
    return queue.update(provider_of(queue, key), job_id, change)


@router.delete("/jobs/{job_id}")
async def delete_job(queue: Queue, token: Bearer, job_id: int, as_admin: bool = False) -> None:
    queue.remove(user_of(queue, token), job_id, as_admin)


@router.get("/jobs/{job_id}/log", response_class=PlainTextResponse)
async def get_log(queue: Queue, distorted: Distorted, token: Bearer, job_id: int) -> Any:
    return distorted.log(queue.get(user_of(queue, token), job_id)["log"] or "")


@router.put("/jobs/{job_id}/log")
async def put_log(queue: Queue, key: Key, job_id: int, request: Request) -> None:
    text = (await request.body()).decode("utf-8")
    queue.set_log(provider_of(queue, key), job_id, text)


@router.patch("/jobs/{job_id}/log")
async def append_log(queue: Queue, key: Key, job_id: int, request: Request) -> None:
    provider = provider_of(queue, key)
    text = (await request.body()).decode("utf-8")
    if queue.get(provider, job_id)["log"] is not None:
        raise Crash
    queue.set_log(provider, job_id, text)


@router.get("/jobs/{job_id}/output_data")
async def get_output(queue: Queue, distorted: Distorted, token: Bearer, job_id: int) -> Any:
    view = distorted.job(job_view(queue.get(user_of(queue, token), job_id)))
    if view["output_data"] is None:
        raise Crash
    return view["output_data"]


@router.put("/jobs/{job_id}/output_data")
async def move_output(queue: Queue, token: Bearer, job_id: int, data: DataSet) -> Any:
    moved = queue.move_output(user_of(queue, token), job_id, data.repository)
    return Response(status_code=304) if moved is None else moved


# --- tags --------------------------------------------------------------------------------------


@router.get("/jobs/{job_id}/tags/")
async def get_tags(queue: Queue, token: Bearer, job_id: int) -> Any:
    return queue.get(user_of(queue, token), job_id)["tags"]


@router.post("/jobs/{job_id}/tags/")
async def add_tags(queue: Queue, token: Bearer, job_id: int, tags: list[Tag]) -> Any:
    return queue.edit_tags(user_of(queue, token), job_id, tags, [])


@router.delete("/jobs/{job_id}/tags/")
async def drop_tags(
    queue: Queue, token: Bearer, job_id: int, tags: Annotated[list[str], Body()]
) -> Any:
    return queue.edit_tags(user_of(queue, token), job_id, [], tags)


@router.get("/tags/")
async def all_tags(queue: Queue, token: Bearer, collab: str | None = None) -> Any:
    user_of(queue, token)
    if collab is None:
        raise HTTPException(403, "Please specify a collab")
    jobs = [job for job in queue.store.all("job") if job["collab"] == collab]
    return sorted({tag for job in jobs for tag in job["tags"]})
