"""Who is who: tokens that expire, users, their roles in collabs, and the providers' keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

EDIT = ("editor", "administrator")
PLATFORM_ADMIN = "admin"
"""The user who may act as administrator of the whole service."""

PROVIDERS = {
    "uman": ("SpiNNaker",),
    "nmpi": ("TestPlatform", "Test", "Demo"),
    "uhei": ("BrainScaleS", "BrainScaleS-ESS", "BrainScaleS-2", "Spikey"),
}
"""Provider -> the platforms its key is good for."""


class TokenRefused(Exception):
    """The token is not one of this service, or no longer."""


class IdentityServiceDown(Exception):
    """The service that knows the users does not answer."""


@dataclass(frozen=True)
class User:
    """Somebody with a good token. roles_known: whether the token lets the service ask for roles."""

    name: str
    roles_known: bool = True

    @property
    def is_admin(self) -> bool:
        return self.name == PLATFORM_ADMIN


def _known_collabs() -> dict[str, dict[str, str]]:
    return {
        "my-collab": {"alice": "editor", "bob": "viewer", "carol": "administrator"},
        "exhausted": {"alice": "editor"},
        "empty-collab": {"alice": "administrator"},
        "public-collab": {},
    }


@dataclass
class Identity:
    """The identity and collaboratory services in one. The key that signs lives in memory only.

    clock: seconds since the epoch. Tokens look like the real ones (three parts, claims readable
    by anybody), but are good for this object alone.
    """

    clock: Callable[[], float] = time.time
    collabs: dict[str, dict[str, str]] = field(default_factory=_known_collabs)
    public: set[str] = field(default_factory=lambda: {"public-collab"})
    down: bool = False
    keys: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(24) for name in PROVIDERS}
    )
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _generation: int = 0

    def token(self, user: str = "alice", lifetime: float = 3600.0, with_roles: bool = True) -> str:
        """A token of `user` that is good for `lifetime` s (negative: it has expired already)."""
        now = self.clock()
        claims = {
            "sub": hashlib.sha256(user.encode()).hexdigest()[:32],
            "preferred_username": user,
            "iat": int(now),
            "exp": now + lifetime if lifetime % 1 else int(now + lifetime),
            "jti": secrets.token_hex(8),
            "generation": self._generation,
            "scope": "openid profile" + (" team group roles" if with_roles else ""),
        }
        head = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{head}.{self._sign(head)}"

    def user(self, token: str) -> User:
        """Who a token belongs to. Raises TokenRefused or IdentityServiceDown."""
        if self.down:
            raise IdentityServiceDown
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(head).encode()):
            raise TokenRefused
        claims = _decode(head.partition(".")[2])
        if float(claims["exp"]) <= self.clock() or claims["generation"] != self._generation:
            raise TokenRefused
        return User(claims["preferred_username"], "roles" in claims["scope"])

    def expire_all(self) -> None:
        """Let every token given so far be refused from now on."""
        self._generation += 1

    def grant(self, user: str, collab: str, role: str | None) -> None:
        """Make `user` viewer, editor or administrator of a collab, or (None) nothing."""
        members = self.collabs.setdefault(collab, {})
        members.pop(user, None)
        if role is not None:
            members[user] = role

    def may_view(self, user: User, collab: str) -> bool:
        members = self.collabs.get(collab, {})
        return collab == f"private-{user.name}" or collab in self.public or user.name in members

    def may_edit(self, user: User, collab: str) -> bool:
        role = self.collabs.get(collab, {}).get(user.name)
        return collab == f"private-{user.name}" or role in EDIT

    def platforms(self, key: str) -> tuple[str, ...] | None:
        """The platforms a provider's key is good for; None for a wrong key."""
        for name, known in self.keys.items():
            if hmac.compare_digest(known.encode(), key.encode()):
                return PROVIDERS[name]
        return None

    def key_for(self, platform: str) -> str:
        """The key of the provider of a platform."""
        for name, platforms in PROVIDERS.items():
            if platform in platforms:
                return self.keys[name]
        raise KeyError(platform)

    def _sign(self, head: str) -> str:
        return _text(hmac.digest(self._secret, head.encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode(claims: dict[str, object]) -> str:
    return _text(json.dumps(claims).encode())


def _decode(part: str) -> dict[str, Any]:
    padded = part + "=" * (-len(part) % 4)
    return dict(json.loads(base64.urlsafe_b64decode(padded)))
