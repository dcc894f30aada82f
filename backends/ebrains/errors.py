"""What can go wrong between here and the queue, by what is to be done about it.

ServiceError
+-- Refused            a 4xx that will never change: said at once, in the server's own words
+-- TokenRefused       401: a new token is needed
+-- Temporary          try again later; `arrived` tells whether the request may have had an effect
JobTimeout
+-- JobKept            waiting ended here (no token, no service, Ctrl-C); the job goes on
BackendUnavailable
+-- SettingsError      the settings contradict themselves
+-- TokenNeeded        no source gave a token
"""

from __future__ import annotations

from ..base import BackendUnavailable, JobTimeout, ServiceError


class Refused(ServiceError):
    """The service will never do this; `status` is the HTTP status, `words` what it said."""

    def __init__(self, what: str, status: int, words: str) -> None:
        self.status = status
        self.words = words
        super().__init__(f"{what}: the service refused ({status}): {words}")


class TokenRefused(ServiceError):
    """The service did not take the token (401)."""


class Temporary(ServiceError):
    """The service could not answer now.

    arrived: whether the request may have reached the service, and so may have had its effect.
    retry_after: s that the service asks to wait, or None.
    """

    def __init__(self, why: str, arrived: bool, retry_after: float | None = None) -> None:
        self.arrived = arrived
        self.retry_after = retry_after
        super().__init__(why)


class JobKept(JobTimeout):
    """Waiting had to end here; nothing is lost, and the message says how to come back."""


class SettingsError(BackendUnavailable):
    """The settings cannot be used; the message names every reason."""


class TokenNeeded(BackendUnavailable):
    """No source gave a token; the message says how to give one."""
