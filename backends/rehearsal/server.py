"""The address of the queue: its calls, as the real service answers them (API version 3)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware

from . import comment_routes, job_routes, other_routes, project_routes
from .distortion import Distortion
from .jobqueue import JobQueue, Refused
from .misbehaviour import MAINTENANCE, Misbehaviours

ABOUT = "This is the EBRAINS Neuromorphic Computing Job Queue API."

router = APIRouter()


@router.get("/")
async def about(request: Request) -> Any:
    maintenance = request.app.state.misbehaviours.peek("maintenance")
    address = str(request.base_url).rstrip("/")
    return {
        "about": ABOUT,
        "version": "3",
        "status": "ok" if maintenance is None else MAINTENANCE[maintenance.value],
        "links": {"documentation": "/docs"},
        "authentication": {
            "server": f"{address}/auth/realms/hbp",
            "client-id": "nmpi-local",
            "collaboratory": f"{address}/rest/v1/",
        },
    }


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"detail": error.detail}, status_code=error.status)


def make_app(queue: JobQueue, misbehaviours: Misbehaviours, distortion: Distortion) -> FastAPI:
    """The service as an ASGI application."""
    app = FastAPI(title="EBRAINS Neuromorphic Computing Job Queue, rehearsal")
    app.state.queue = queue
    app.state.misbehaviours = misbehaviours
    app.state.distortion = distortion
    for module in (job_routes, comment_routes, project_routes, other_routes):
        app.include_router(module.router)
    app.include_router(router)
    app.add_exception_handler(Refused, _refused)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
        allow_headers=["*"],
        allow_credentials=True,
    )
    return app
