"""Who is asking: the dependencies of every call, with the service's own refusals."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request

from .distortion import Distortion
from .identity import IdentityServiceDown, TokenRefused, User
from .jobqueue import Crash, JobQueue, Provider

NO_CREDENTIALS = "You must provide either a token or an API key"


def optional_bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def required_bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme or not token:
        raise HTTPException(403, "Not authenticated")
    if scheme.lower() != "bearer":
        raise HTTPException(403, "Invalid authentication credentials")
    return token


def required_key(request: Request) -> str:
    key = request.headers.get("x-api-key")
    if not key:
        raise HTTPException(403, "Not authenticated")
    return key


def optional_key(request: Request) -> str | None:
    return request.headers.get("x-api-key")


Bearer = Annotated[str, Depends(required_bearer)]
MaybeBearer = Annotated[str | None, Depends(optional_bearer)]
Key = Annotated[str, Depends(required_key)]
MaybeKey = Annotated[str | None, Depends(optional_key)]


def queue_of(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


def distortion_of(request: Request) -> Distortion:
    distortion: Distortion = request.app.state.distortion
    return distortion


Queue = Annotated[JobQueue, Depends(queue_of)]
Distorted = Annotated[Distortion, Depends(distortion_of)]


def user_of(queue: JobQueue, token: str) -> User:
    try:
        return queue.identity.user(token)
    except TokenRefused:
        raise HTTPException(401, "Token may have expired") from None
    except IdentityServiceDown:
        raise Crash from None


def provider_of(queue: JobQueue, key: str) -> Provider:
    platforms = queue.identity.platforms(key)
    if platforms is None:
        raise Crash
    return Provider(platforms)


def either(queue: JobQueue, token: str | None, key: str | None) -> User | Provider:
    if token is not None:
        return user_of(queue, token)
    if key is not None:
        return provider_of(queue, key)
    raise HTTPException(401, NO_CREDENTIALS)
