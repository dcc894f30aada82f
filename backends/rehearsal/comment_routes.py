"""Comments on jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from .access import Bearer, Queue, user_of
from .jobqueue import Crash, JobQueue, Refused
from .models import CommentBody
from .views import zulu

router = APIRouter()


def comments_of(queue: JobQueue, job_id: int) -> list[dict[str, Any]]:
    """The comments on a job, oldest first."""
    return [c for c in queue.store.all("comment") if c["job_id"] == job_id]


@router.get("/jobs/{job_id}/comments")
async def get_comments(queue: Queue, token: Bearer, job_id: int) -> Any:
    queue.get(user_of(queue, token), job_id)
    return comments_of(queue, job_id)


@router.post("/jobs/{job_id}/comments/", status_code=201)
async def add_comment(queue: Queue, token: Bearer, job_id: int, comment: CommentBody) -> Any:
    user = user_of(queue, token)
    queue.get(user, job_id)
    number = queue.store.next_number("comment")
    body = {
        "id": number,
        "job_id": job_id,
        "content": comment.content,
        "user_id": user.name,
        "timestamp": zulu(queue.now().isoformat()),
        "resource_uri": f"/jobs/{job_id}/comments/{number}",
    }
    queue.store.put("comment", number, body)
    return body


@router.put("/jobs/{job_id}/comments/{comment_id}")
async def edit_comment(
    queue: Queue, token: Bearer, job_id: int, comment_id: int, comment: CommentBody
) -> Any:
    user = user_of(queue, token)
    body = queue.store.get("comment", comment_id)
    if body is None:
        raise Crash
    if body["user_id"] != user.name:
        raise _no_comment(comment_id)
    body["content"] = comment.content
    queue.store.put("comment", comment_id, body)
    return body


@router.delete("/jobs/{job_id}/comments/{comment_id}")
async def delete_comment(queue: Queue, token: Bearer, job_id: int, comment_id: int) -> None:
    user = user_of(queue, token)
    body = queue.store.get("comment", comment_id)
    if body is None:
        raise Crash
    if body["user_id"] != user.name:
        raise _no_comment(comment_id)
    queue.store.remove("comment", comment_id)


def _no_comment(number: int) -> Refused:
    return Refused(
        404, f"Either there is no comment with id {number}, or you do not have access to it"
    )
