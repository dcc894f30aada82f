"""The other address, where a provider keeps the outputs and serves them to anybody who asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .misbehaviour import ON_DATA, Misbehaviours

PREFIX = "/services/rest/output"
CHUNK = 65536
OTHER_CONTENTS = b"These are other contents under the same name.\n"


class CutShort(Exception):
    """Ends an answer before all that was announced has been sent."""


class DataStore:
    """The files that are served: OUTPUTS/<collab>/<job>/<name>."""

    def __init__(self, outputs: Path, misbehaviours: Misbehaviours) -> None:
        self.outputs = outputs.resolve()
        self.misbehaviours = misbehaviours

    def folder(self, collab: str, job: int) -> Path:
        """Where a job's outputs are."""
        return self.outputs / re.sub(r"[^\w.-]", "_", collab) / str(job)

    def files(self, collab: str, job: int) -> list[Path]:
        """The outputs of a job, by name."""
        folder = self.folder(collab, job)
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def find(self, path: str) -> bytes | None:
        """The contents at an address below PREFIX; None if there is nothing.

        COLLAB/JOB/NAME is a file. COLLAB/JOB/again/NAME are other contents of the same name, and
        COLLAB/JOB/as/NUMBER/... is the file of that number under any name at all.
        """
        parts = path.split("/")
        if len(parts) > 4 and parts[2] == "as" and parts[1].isdigit() and parts[3].isdigit():
            files, number = self.files(parts[0], int(parts[1])), int(parts[3])
            return files[number].read_bytes() if number < len(files) else OTHER_CONTENTS
        if len(parts) == 4 and parts[2] == "again":
            return OTHER_CONTENTS
        if len(parts) != 3 or not parts[1].isdigit():
            return None
        for file in self.files(parts[0], int(parts[1])):
            if file.name == parts[2]:
                return file.read_bytes()
        return None


def make_data_app(store: DataStore) -> Starlette:
    """The address of the data as an ASGI application; it asks for no authentication."""

    async def serve(request: Request) -> Response:
        active = store.misbehaviours.take(
            *ON_DATA, method=request.method, path=f"data:{request.url.path}"
        )
        name = active.name if active else ""
        contents = store.find(request.path_params["path"])
        if contents is None or name == "missing_download":
            return PlainTextResponse("Not Found", 404)
        if name == "corrupt_download":
            middle = len(contents) // 2
            flipped = bytes([contents[middle] ^ 0xFF])
            contents = contents[:middle] + flipped + contents[middle + 1 :]
        if name == "endless_download":
            return StreamingResponse(_endless(), media_type="application/octet-stream")
        start = 0 if name == "no_range" else _range_start(request.headers.get("range", ""))
        if start > 0 and start >= len(contents):
            return Response(status_code=416, headers={"content-range": f"bytes */{len(contents)}"})
        return _answer(contents, start, cut=name == "cut_download")

    return Starlette(routes=[Route(f"{PREFIX}/{{path:path}}", serve, methods=["GET"])])


def _range_start(header: str) -> int:
    found = re.fullmatch(r"bytes=(\d+)-", header.strip())
    return int(found[1]) if found else 0


def _answer(contents: bytes, start: int, cut: bool) -> Response:
    rest = contents[start:]
    headers = {"content-length": str(len(rest)), "accept-ranges": "bytes"}
    if start:
        headers["content-range"] = f"bytes {start}-{len(contents) - 1}/{len(contents)}"
    return StreamingResponse(
        _pieces(rest, cut),
        status_code=206 if start else 200,
        headers=headers,
        media_type="application/octet-stream",
    )


async def _pieces(contents: bytes, cut: bool) -> AsyncIterator[bytes]:
    end = len(contents) // 2 if cut else len(contents)
    for start in range(0, end, CHUNK):
        yield contents[start : min(start + CHUNK, end)]
    if cut:
        raise CutShort


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(CHUNK)
        await asyncio.sleep(0)  # a reader that has gone is noticed here only
