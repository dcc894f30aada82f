"""What a user of batch jobs meets rarely: interactive sessions, counts, the login of a browser."""

from __future__ import annotations

import datetime
import secrets
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from .access import Bearer, Key, Queue, provider_of, user_of
from .identity import User
from .jobqueue import Refused
from .models import SessionStart, SessionUpdate
from .projects import units_of
from .store import Document
from .views import zulu

COUNTED = ("BrainScaleS", "BrainScaleS-ESS", "Spikey", "SpiNNaker", "BrainScaleS-2")
"""The platforms that the statistics tell of."""

router = APIRouter()


def _view(session: Document) -> Document:
    usage = {"value": session["usage"], "units": units_of(session["hardware_platform"])}
    return {
        **{name: value for name, value in session.items() if name != "usage"},
        "resource_uri": f"/sessions/{session['id']}",
        "resource_usage": usage,
    }


@router.post("/sessions/", status_code=201)
async def start_session(queue: Queue, key: Key, start: SessionStart) -> Any:
    provider_of(queue, key).allow(start.hardware_platform)
    if not queue.projects.quota_left(User(start.user_id), start.collab, start.hardware_platform):
        raise Refused(403, "The user does not have sufficient compute quota to start this session")
    number = queue.store.next_number("session")
    session = {
        **start.model_dump(),
        "id": number,
        "status": "running",
        "timestamp_start": zulu(queue.now().isoformat()),
        "timestamp_end": None,
        "usage": 0.0,
    }
    queue.store.put("session", number, session)
    return _view(session)


@router.get("/sessions/")
async def list_sessions(queue: Queue, token: Bearer) -> Any:
    user = user_of(queue, token)
    return [_view(s) for s in queue.store.all("session") if s["user_id"] == user.name]


@router.put("/sessions/{session_id}")
async def update_session(queue: Queue, key: Key, session_id: int, change: SessionUpdate) -> None:
    provider = provider_of(queue, key)
    session = queue.store.get("session", session_id)
    if session is None:
        raise Refused(404, f"There is no session with id {session_id}")
    platform = session["hardware_platform"]
    provider.allow(platform)
    session |= {"status": change.status, "timestamp_end": zulu(queue.now().isoformat())}
    if change.resource_usage is not None:
        session["usage"] = change.resource_usage.value
        queue.projects.charge(session["collab"], platform, change.resource_usage.value)
    queue.store.put("session", session_id, session)


@router.get("/statistics/queue-length")
async def queue_length(queue: Queue) -> Any:
    jobs = queue.store.all("job")
    return [
        {
            "queue_name": platform,
            **{
                state: sum((j["hardware_platform"], j["status"]) == (platform, state) for j in jobs)
                for state in ("running", "submitted")
            },
        }
        for platform in COUNTED
    ]


@router.get("/statistics/job-count")
async def job_count(queue: Queue, interval: int = 7) -> Any:
    """Completed jobs of the last `interval` days."""
    end = queue.now().date()
    start = end - datetime.timedelta(days=interval)
    return [{"start": start, "end": end, "count": _completed(queue.store.all("job"), start, end)}]


def _completed(jobs: list[Document], start: datetime.date, end: datetime.date) -> dict[str, int]:
    count = dict.fromkeys(COUNTED, 0)
    for job in jobs:
        if job["status"] == "finished" and job["hardware_platform"] in count:
            day = datetime.datetime.fromisoformat(job["timestamp_completion"]).date()
            count[job["hardware_platform"]] += start <= day < end
    return count


@router.get("/statistics/per-user")
async def per_user(queue: Queue, token: Bearer) -> Any:
    if not user_of(queue, token).is_admin:
        raise HTTPException(403, "Only admins can access per-user statistics")
    jobs = queue.store.all("job")
    users = sorted({job["user_id"] for job in jobs})
    return {user: sum(job["user_id"] == user for job in jobs) for user in users}


@router.get("/login")
async def login(request: Request) -> Any:
    """Sends a browser to the identity service, which a rehearsal has none of."""
    address = str(request.base_url).rstrip("/")
    query = {
        "response_type": "code",
        "client_id": "nmpi-local",
        "redirect_uri": f"{address}/auth",
        "scope": "openid profile collab.drive group team roles email",
        "state": secrets.token_urlsafe(32),
    }
    where = f"{address}/auth/realms/hbp/protocol/openid-connect/auth?{urlencode(query)}"
    return RedirectResponse(where, 302)
