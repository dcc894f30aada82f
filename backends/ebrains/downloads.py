"""Bringing a job's output files home. What a server names or sends is never trusted.

A file's name here is made from the last part of the path or address that the server gives, out of
a few harmless characters, and lies in one folder. It is written under a temporary name, which a
cut connection or a killed process can go on from, checked, and then renamed. Nothing is unpacked,
and no token is sent: the data are on another host, and are served without.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from . import web
from .clock import Backoff, Clock
from .errors import Temporary
from .settings import Settings, is_loopback

PART = ".part"
REFUSED = ".refused"
HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""Digits of a hash -> what it must be; of another length it says nothing."""
NAME_LENGTH = 120


class DownloadRefused(Exception):
    """This file will not be had, or is not what it was said to be; the message says why."""


@dataclass(frozen=True)
class Item:
    """One output file: where it is, what it is called here, what the server says of it."""

    url: str
    name: str
    size: int | None
    hash: str | None


def items(job: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> list[Item]:
    """The output files a job names, each address once, each under a name of its own.

    known: url -> {"name": ...} of files that have a name already.
    """
    data = job.get("output_data")
    listed = data.get("files") if isinstance(data, dict) else None
    taken = {str(entry["name"]).lower() for entry in known.values()}
    found: dict[str, Item] = {}
    for entry in listed if isinstance(listed, list) else []:
        url = entry.get("url") if isinstance(entry, dict) else None
        if not isinstance(url, str) or url in found:
            continue
        if url in known:
            name = str(known[url]["name"])
        else:
            name = _free(safe_name(entry.get("path"), url), taken)
            taken.add(name.lower())
        size, digest = entry.get("size"), entry.get("hash")
        whole = isinstance(size, int) and not isinstance(size, bool)
        found[url] = Item(
            url, name, size if whole else None, digest if isinstance(digest, str) else None
        )
    return list(found.values())


def safe_name(path: Any, url: str) -> str:
    """A plain file name, whatever the server calls the file."""
    for text in (path if isinstance(path, str) else "", _path_of(url)):
        base = re.split(r"[/\\]", unquote(text).replace("\0", ""))[-1]
        base = re.sub(r"[^A-Za-z0-9._+-]", "_", base).lstrip(".-")
        if base:
            stem, suffix = os.path.splitext(base)
            suffix = suffix[:20]
            return stem[: NAME_LENGTH - len(suffix)] + suffix
    return "output"


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where another file bears it (as some disks compare: any case)."""
    stem, suffix = os.path.splitext(name)
    number, free = 2, name
    while free.lower() in taken or free.lower().endswith((PART, REFUSED)):
        free = f"{stem}-{number}{'.bin' if suffix.lower() in (PART, REFUSED) else suffix}"
        number += 1
    return free


class Downloader:
    """Fetches files into one folder."""

    def __init__(self, folder: Path, settings: Settings, clock: Clock, transport: Any) -> None:
        self.folder = folder
        self.left = settings.max_download
        self._settings, self._clock = settings, clock
        self._transport = transport
        self._clients: dict[str, httpx.Client] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, url: httpx.URL) -> httpx.Client:
        """The client for an address: made when needed, since reading certificates takes a while."""
        where = f"{url.scheme}://{url.host if is_loopback(url.host) else ''}"
        if where not in self._clients:
            settings = self._settings
            self._clients[where] = web.make_client(
                where, settings.connect_timeout, settings.request_timeout, self._transport
            )
        return self._clients[where]

    def fetch(self, item: Item, note: dict[str, Any], keep: Callable[[], None]) -> Path:
        """The file, complete and checked. note: what is known of it, kept across processes.

        Raises DownloadRefused, or Temporary when the patience is at its end.
        """
        target = self.folder / item.name
        if note.get("sha256") and target.is_file() and target.stat().st_size == note["size"]:
            self.left -= int(note["size"])
            return target
        if urlsplit(item.url).scheme not in ("http", "https"):
            raise DownloadRefused("its address is not one of the web")
        if item.size is not None and item.size > self.left:
            raise DownloadRefused(self._too_large(item.size))
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / (item.name + PART)
        backoff = Backoff(self._settings.poll_first, self._settings.poll_last, self._clock)
        end = self._clock.monotonic() + self._settings.patience
        while True:
            before = _size(part)
            try:
                self._pull(item, part, note, keep)
                break
            except Temporary as error:
                if _size(part) > before:  # it moves: the patience begins anew
                    backoff.reset()
                    end = self._clock.monotonic() + self._settings.patience
                delay = backoff.delay(error.retry_after)
                if self._clock.monotonic() + delay > end:
                    raise
                self._clock.sleep(delay)
        self._check(item, part)
        note["size"], note["sha256"] = _size(part), _digest(part, "sha256")
        self.left -= note["size"]
        os.replace(part, target)
        keep()
        return target

    def _pull(self, item: Item, part: Path, note: dict[str, Any], keep: Callable[[], None]) -> None:
        """One request for what is missing of the file."""
        have = _size(part)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if note.get("validator"):
                headers["If-Range"] = str(note["validator"])
        url = _address(httpx.URL, item.url)
        for _ in range(web.MAX_REDIRECTS + 1):
            client = self._client(url)
            with (
                web.translated(f"{item.name}"),
                client.stream("GET", url, headers=headers) as response,
            ):
                location = response.headers.get("location")
                if response.status_code not in web.REDIRECTS or location is None:
                    self._receive(item, part, have, response, note, keep)
                    return
            there = _address(url.join, location)
            if there.scheme not in ("https", url.scheme):
                raise DownloadRefused("its address redirects away from https")
            url = there
        raise DownloadRefused("its address redirects in a circle")

    def _receive(
        self,
        item: Item,
        part: Path,
        have: int,
        response: httpx.Response,
        note: dict[str, Any],
        keep: Callable[[], None],
    ) -> None:
        status = response.status_code
        if status == 416:  # all there already, or not a part of this file: the check will tell
            if response.headers.get("content-range", "") == f"bytes */{have}":
                return
            part.unlink(missing_ok=True)
            raise Temporary(f"{item.name}: cannot be gone on with", True)
        if status in (408, 425, 429) or status >= 500:
            raise Temporary(f"{item.name}: {status}", True, web.retry_after(response, self._clock))
        if status == 206 and not _goes_on(response.headers.get("content-range", ""), have):
            part.unlink(missing_ok=True)
            raise Temporary(f"{item.name}: the server sent another part than asked for", True)
        if status not in (200, 206):
            raise DownloadRefused(f"the server answered {status}")
        validator = response.headers.get("etag") or response.headers.get("last-modified")
        if status == 200 and validator != note.get("validator"):
            note["validator"] = validator if validator and validator[:2] != "W/" else None
            keep()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise DownloadRefused("it comes compressed, which was not asked for")
        with open(part, "ab" if status == 206 else "wb") as stream:
            size = have if status == 206 else 0
            for chunk in response.iter_raw():
                size += len(chunk)
                if size > self.left:
                    stream.close()
                    part.unlink()
                    raise DownloadRefused(self._too_large(size))
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())

    def _check(self, item: Item, part: Path) -> None:
        """Compare with what the server said; what differs is set aside, not taken."""
        problem = ""
        size = _size(part)
        if item.size is not None and size != item.size:
            problem = f"it has {size} bytes, but the service says {item.size}"
        kind = HASHES.get(len(item.hash or ""))
        told = (item.hash or "").lower()
        known = kind is not None and re.fullmatch(r"[0-9a-f]+", told) is not None
        if not problem and known and _digest(part, str(kind)) != told:
            problem = f"its {kind} is not the one the service says"
        if problem:
            aside = part.with_name(item.name + REFUSED)
            os.replace(part, aside)
            raise DownloadRefused(f"{problem}; what came is in {aside.name}")

    def _too_large(self, size: int) -> str:
        return f"{size} bytes or more are over the setting max_download"


def _address(make: Callable[[str], httpx.URL], text: str) -> httpx.URL:
    try:
        return make(text)
    except (httpx.InvalidURL, ValueError):
        raise DownloadRefused("its address is not one") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest(path: Path, kind: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()


def _goes_on(content_range: str, have: int) -> bool:
    match = re.match(r"bytes (\d+)-", content_range)
    return match is not None and int(match.group(1)) == have
