"""The rehearsal's server answers as the real one did: every recorded exchange, in order."""

import json
import re
from pathlib import Path

import httpx
import pytest

from backends.rehearsal import Rehearsal

EXCHANGES = Path(__file__).parent / "data" / "queue_exchanges.jsonl"
SCRIPT = "import sys\nimport pyNN.spiNNaker as sim\nprint(sys.argv)\n"
KEYS = {"uman-provider-key": "uman", "nmpi-provider-key": "nmpi", "uhei-provider-key": "uhei"}
CUT = re.compile(r"(.*)…\((\d+) (?:chars|items)\)", re.DOTALL)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = re.compile(r"http(?:://|%3A%2F%2F)127\.0\.0\.1(?::|%3A)\d+")
OWN_WORDS = ("This project was created automatically", "HERE/auth/realms/")
"""Texts that were recorded in part only, and go on in other words."""

LIBRARY_WORDS = ("Input should be a valid UUID, ", "invalid character: ")
"""Here the library that checks the input says what is wrong, differently in each version."""


class Comparison:
    """Compares recorded answers with given ones; learns which new UUID stands for which old one."""

    def __init__(self):
        self.uuids = {}

    def old_uuids_to_new(self, text):
        return UUID.sub(lambda found: self.uuids.get(found[0], found[0]), text)

    def differences(self, recorded, given, where="answer"):
        """Sentences on what is not as recorded."""
        if isinstance(recorded, str) and isinstance(given, str):
            if not self.same_text(recorded, given):
                yield f"{where}: {given[:300]!r} instead of {recorded!r}"
        elif isinstance(recorded, list) and isinstance(given, list):
            yield from self.list_differences(recorded, given, where)
        elif isinstance(recorded, dict) and isinstance(given, dict):
            if recorded.keys() != given.keys():
                yield f"{where}: keys {sorted(given)} instead of {sorted(recorded)}"
            for key in recorded.keys() & given.keys():
                yield from self.differences(recorded[key], given[key], f"{where}.{key}")
        elif recorded != given or type(recorded) is not type(given):
            yield f"{where}: {given!r} instead of {recorded!r}"

    def list_differences(self, recorded, given, where):
        cut = CUT.fullmatch(recorded[-1]) if recorded and isinstance(recorded[-1], str) else None
        if cut and cut[1] == "":
            recorded = recorded[:-1]
            if len(given) != int(cut[2]):
                yield f"{where}: {len(given)} items instead of {cut[2]}"
        elif len(recorded) != len(given):
            yield f"{where}: {len(given)} items instead of {len(recorded)}"
        for k, (one, other) in enumerate(zip(recorded, given, strict=False)):
            yield from self.differences(one, other, f"{where}[{k}]")

    def same_text(self, recorded, given):
        if recorded == "$script":
            return given == SCRIPT
        for old, new in zip(UUID.findall(recorded), UUID.findall(given), strict=False):
            self.uuids.setdefault(old, new)
        recorded = self.old_uuids_to_new(recorded)
        for pattern in (TIMESTAMP, DATE):
            if pattern.fullmatch(recorded):
                old, new = pattern.fullmatch(recorded), pattern.fullmatch(given)
                return new is not None and old.groups() == new.groups()
        recorded, given = ADDRESS.sub("HERE", recorded), ADDRESS.sub("HERE", given)
        if recorded.startswith(LIBRARY_WORDS):
            return given.startswith(LIBRARY_WORDS)
        cut = CUT.fullmatch(recorded)
        if cut is None:
            return recorded == given
        if recorded.startswith(OWN_WORDS):
            return given.startswith(cut[1][:200])
        return given.startswith(cut[1]) and len(given) == int(cut[2])


def full(value):
    """A recorded body with its cut texts (all of one letter) and the script filled in."""
    if isinstance(value, str):
        cut = CUT.fullmatch(value)
        return cut[1] * int(cut[2]) if cut else value.replace("$script", SCRIPT)
    if isinstance(value, list):
        return [full(item) for item in value]
    if isinstance(value, dict):
        return {key: full(item) for key, item in value.items()}
    return value


def exchanges():
    lines = EXCHANGES.read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if "title" in entry]


def headers(exchange, rehearsal):
    found = dict(exchange.get("headers", {}))
    said = exchange.get("authorization", "")
    user = re.fullmatch(r"Bearer <(\w+)(-expired)? token>", said)
    if user:
        roles = (
            "without roles" not in exchange["title"]
            and "submitting crashes" not in exchange["title"]
        )
        token = rehearsal.token(user[1], lifetime=-10 if user[2] else 3600, with_roles=roles)
        found["authorization"] = f"Bearer {token}"
    elif said:
        found["authorization"] = said
    if "key" in exchange:
        name = KEYS.get(exchange["key"])
        found["x-api-key"] = rehearsal.identity.keys[name] if name else exchange["key"]
    if exchange["method"] == "OPTIONS":
        found |= {"origin": "https://example.org", "access-control-request-method": "POST"}
    return found


def prepare(exchange, rehearsal):
    """Bring the service into the state in which an exchange was recorded."""
    rehearsal.behave()
    for beginning, value in (("read-only:", "read-only"), ("down:", "down")):
        if exchange["title"].startswith(beginning):
            rehearsal.misbehave("maintenance", value=value)
    if exchange["title"].startswith("IAM unreachable"):
        rehearsal.misbehave("identity_down")


def ask(client, exchange, rehearsal, comparison):
    body = {}
    if "json" in exchange:
        body["json"] = full(exchange["json"])
    elif exchange["title"] == "non-utf8 log":
        body["content"] = b"\xff\xfe"
    elif "body" in exchange:
        body["content"] = exchange["body"].encode()
    path = comparison.old_uuids_to_new(exchange["path"])
    return client.request(exchange["method"], path, headers=headers(exchange, rehearsal), **body)


def check(exchange, answer, comparison):
    """Sentences on what is not as recorded."""
    if answer.status_code != exchange["status"]:
        yield f"status {answer.status_code} ({answer.text[:200]}) instead of {exchange['status']}"
        return
    if answer.headers.get("content-type") != exchange.get("type"):
        yield f"type {answer.headers.get('content-type')} instead of {exchange.get('type')}"
    for name, value in exchange.get("answer_headers", {}).items():
        yield from comparison.differences(value, answer.headers.get(name), name)
    if "answer" in exchange:
        yield from comparison.differences(exchange["answer"], answer.json())
    elif exchange["method"] != "HEAD":
        # The recording shows one line end more than a text of several lines has.
        recorded = exchange.get("text", "")
        if answer.text.rstrip("\n") != recorded.rstrip("\n"):
            yield f"text {answer.text!r} instead of {recorded!r}"


@pytest.fixture
def server():
    with Rehearsal(provider=False) as rehearsal:
        yield rehearsal


def test_every_recorded_exchange(server):
    """Also what the server does wrong: 500 where it fails inside, usage charged twice, ..."""
    comparison = Comparison()
    wrong = []
    # A connection a request: after a 500 the service resets the one that it came on.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.base_url, limits=limits, trust_env=False) as client:
        for exchange in exchanges():
            prepare(exchange, server)
            answer = ask(client, exchange, server, comparison)
            wrong += [f"{exchange['title']}: {why}" for why in check(exchange, answer, comparison)]
    assert len(exchanges()) > 200
    assert not wrong, "\n".join(wrong)
