"""One HTTP exchange: bounded in time and size, without keep-alive, redirects followed by hand.

Connections are not kept: the service resets one after an error, which would make the next request
fail to read an answer that it may have had. Redirects are followed here because a token may only
go to the very host it is for.
"""

from __future__ import annotations

import email.utils
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..base import ServiceError
from .clock import Clock
from .errors import Temporary
from .settings import is_loopback

MAX_ANSWER = 100_000_000
"""Bytes of an answer that is not a download."""
MAX_REDIRECTS = 5
MAX_RETRY_AFTER = 3600.0
REDIRECTS = (301, 302, 303, 307, 308)
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """Status, body, and what the headers say of trying again."""

    status: int
    body: bytes
    retry_after: float | None

    def json(self) -> Any:
        """The body as data; Temporary if it is none. NaN, which JSON has not, becomes None."""
        try:
            return json.loads(self.body, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            raise Temporary("the service answered with something else than JSON", True) from None

    def words(self) -> str:
        """What the server said, in its own words."""
        text = self.body.decode("utf-8", errors="replace").strip()
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return text[:500] or "(no words)"
        if isinstance(told, dict):
            told = told.get("detail", told.get("error", told))
        if isinstance(told, list):
            return "; ".join(_problem(entry) for entry in told)
        return (told if isinstance(told, str) else json.dumps(told))[:500]


def _problem(entry: Any) -> str:
    """One entry of a 422: where it is and what is wrong, without the input itself."""
    if not isinstance(entry, dict):
        return str(entry)[:200]
    place = ".".join(str(part) for part in entry.get("loc", []) if part != "body")
    return f"{place}: {entry.get('msg', '')}" if place else str(entry.get("msg", entry))[:200]


def make_client(base_url: str, connect: float, read: float, transport: Any = None) -> httpx.Client:
    """A client for one host, or for data. Proxies of the environment are not for this machine."""
    parts = urlsplit(base_url)
    here = is_loopback(parts.hostname or "")
    return httpx.Client(
        timeout=httpx.Timeout(read, connect=connect),
        limits=httpx.Limits(max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=not here,
        verify=not (here and parts.scheme == "http"),  # nothing to verify: no certificates to read
        transport=transport,
        headers={"User-Agent": "pynn-experiment", "Accept-Encoding": "identity"},
    )


def retry_after(response: httpx.Response, clock: Clock) -> float | None:
    """s that Retry-After asks for: a number or a date; at most an hour is believed."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - clock.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None


@contextmanager
def translated(what: str, scrub: Any = str) -> Iterator[None]:
    """Turn what a connection can suffer into Temporary, without the request in it."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise Temporary(scrub(f"{what}: no connection ({error})"), arrived=False) from None
    except httpx.TimeoutException:
        raise Temporary(f"{what}: no answer in time", arrived=True) from None
    except httpx.HTTPError as error:
        raise Temporary(scrub(f"{what}: the connection broke ({error})"), arrived=True) from None
    except httpx.InvalidURL:
        raise ServiceError(f"{what}: not an address") from None


def read_all(response: httpx.Response, what: str, limit: float, clock: Clock) -> bytes:
    """The body, in at most `limit` s and MAX_ANSWER bytes."""
    end = clock.monotonic() + limit
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ServiceError(f"{what}: the answer has more than {MAX_ANSWER} bytes")
        if clock.monotonic() > end:
            raise Temporary(f"{what}: no whole answer in {limit:g} s", arrived=True)
    return bytes(body)


def same_service(here: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads, if that is the same host; ServiceError if it is any other.

    A server behind a proxy that ends https redirects to http; the token goes on over https.
    """
    there = here.join(location)
    downgraded = (here.scheme, there.scheme, there.host) == ("https", "http", here.host)
    if downgraded and there.port in (None, 80, here.port):
        there = there.copy_with(scheme="https", port=here.port)
    if (there.scheme, there.host, _port(there)) != (here.scheme, here.host, _port(here)):
        raise ServiceError(
            f"the service redirects to another host ({there.host}); the token is not sent there"
        )
    return there


def _port(url: httpx.URL) -> int | None:
    return url.port or DEFAULT_PORTS.get(url.scheme)
