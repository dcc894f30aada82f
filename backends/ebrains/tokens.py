"""Tokens: where they come from, when they end, and that they go nowhere but to the service.

A token is kept in memory only, inside a :class:`Secret`, which shows itself as ``[token]``. It
comes from the first of these that has one which was not refused before:

1. the environment variable EBRAINS_AUTH_TOKEN;
2. the EBRAINS Lab, which gives its notebooks a token (``clb_oauth.get_token()``);
3. the setting token_command, a command that prints one;
4. the person at the terminal, asked without echo.
"""

from __future__ import annotations

import base64
import getpass
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .clock import Clock
from .errors import TokenNeeded

VARIABLE = "EBRAINS_AUTH_TOKEN"
COMMAND_TIME = 60.0
"""s that token_command may take."""
SPARE = 20.0
"""s before its end at which a token counts as expired."""
SHOWN = "[token]"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,20000}")


class Secret:
    """A token that does not show itself; `reveal` is for the one header that carries it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("a token is not written anywhere")

    def claims(self) -> dict[str, Any]:
        """What a JWT says of itself, not verified (that is the service's part); {} if nothing."""
        parts = self._value.split(".")
        if len(parts) != 3:
            return {}
        try:
            text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def expires(self) -> float | None:
        """The end of its life, s since 1970; None if it does not say."""
        end = self.claims().get("exp")
        return float(end) if isinstance(end, (int, float)) and not isinstance(end, bool) else None

    @property
    def username(self) -> str | None:
        name = self.claims().get("preferred_username")
        return name if isinstance(name, str) and name else None


Source = Callable[[], "str | None"]


class TokenSource:
    """Gives the token to use now, and another one when that was refused."""

    def __init__(self, sources: Sequence[tuple[str, Source]], clock: Clock | None = None) -> None:
        self._sources = list(sources)
        self._clock = clock or Clock()
        self._current: Secret | None = None
        self._refused: set[Secret] = set()
        self._seen: set[Secret] = set()

    def get(self) -> Secret:
        """A token that has not been refused; TokenNeeded if no source gives one."""
        if self._current is None or self._expired(self._current):
            self._current = self._ask()
        return self._current

    def refused(self, token: Secret) -> None:
        """The service did not take this token."""
        self._refused.add(token)
        if self._current == token:
            self._current = None

    def scrub(self, text: str) -> str:
        """The text without any token this source has given."""
        for token in self._seen:
            text = text.replace(token.reveal(), SHOWN)
        return text

    def _ask(self) -> Secret:
        late: Secret | None = None
        tried = []
        for name, source in self._sources:
            value = source()
            if value is None or not value.strip():
                continue
            if not _TOKEN.fullmatch(value.strip()):
                raise TokenNeeded(f"{name}: what it gives is not a token")
            token = Secret(value.strip())
            self._seen.add(token)
            if token in self._refused:
                tried.append(f"{name}: refused by the service, perhaps expired")
            elif self._expired(token):
                # Our clock may be wrong: it is used if there is nothing better.
                late = late or token
            else:
                return token
        if late is not None:
            return late
        raise TokenNeeded(
            "\n  ".join(
                [
                    "no EBRAINS token that works:",
                    *tried,
                    f"copy one from your EBRAINS Lab (clb_oauth.get_token()) into {VARIABLE}, or "
                    "set token_command",
                ]
            )
        )

    def _expired(self, token: Secret) -> bool:
        end = token.expires
        return end is not None and end - SPARE <= self._clock.time()


def fixed(token: str) -> TokenSource:
    """A source of one token."""
    return TokenSource([("token", lambda: token)])


def standard(
    command: Sequence[str] = (), interactive: bool = True, clock: Clock | None = None
) -> TokenSource:
    """The usual sources. interactive: whether a person may be asked."""
    sources: list[tuple[str, Source]] = [
        (VARIABLE, lambda: os.environ.get(VARIABLE)),
        ("the EBRAINS Lab", from_lab),
    ]
    if command:
        sources.append(("token_command", lambda: from_command(command)))
    if interactive:
        sources.append(("the terminal", from_terminal))
    return TokenSource(sources, clock)


def from_lab() -> str | None:
    """The token of a notebook in the EBRAINS Lab; None elsewhere."""
    try:
        module = importlib.import_module("clb_nb_utils.oauth")
    except ImportError:
        try:
            module = importlib.import_module("clb_oauth")
        except ImportError:
            return None
    try:
        return str(module.get_token())
    except Exception:  # whatever it is, its text could hold a token; the next source is asked
        return None


def from_command(command: Sequence[str]) -> str:
    """What the command prints. Its error output is not shown: it could hold the token."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL if not _terminal() else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_TIME,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TokenNeeded(f"token_command: took more than {COMMAND_TIME:g} s") from None
    except OSError as error:
        raise TokenNeeded(f"token_command: cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise TokenNeeded(f"token_command: ended with exit status {done.returncode}")
    return done.stdout.decode("ascii", errors="replace")


def from_terminal() -> str | None:
    """What the person at the terminal types, without echo; None if nobody is there."""
    if not _terminal():
        return None
    try:
        return getpass.getpass("EBRAINS token (it is not shown): ")
    except EOFError:
        return None


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
