"""What the rehearsal can be told to do wrong, and the switchboard that is asked before each step.

Each kind is done `times` times (None: until it is stopped), after letting `after` occasions pass.
On a command line: NAME[=VALUE][@AFTER][*TIMES], TIMES a number or "always".
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace

MAINTENANCE = {
    "read-only": "The service is currently in read-only mode for maintenance",
    "down": "The service is currently down for maintenance",
}


@dataclass(frozen=True)
class Kind:
    """One thing that can go wrong. times, value, methods: what holds unless it is said."""

    summary: str
    times: int | None = 1
    value: str = ""
    methods: tuple[str, ...] = ()


ON_REQUEST = {
    "drop_post_answer": Kind("do what a POST asks, then close without an answer", 1, "", ("POST",)),
    "drop_answer": Kind("do what any request asks, then close without an answer"),
    "reset": Kind("reset the connection before anything was done"),
    "slow": Kind("answer VALUE seconds late", 1, "1"),
    "never": Kind("keep the connection and never answer"),
    "error_500": Kind("500 in plain text, then close; nothing was done"),
    "post_then_500": Kind("do what a POST asks, then answer 500", 1, "", ("POST",)),
    "error_503": Kind("503 with Retry-After: VALUE; nothing was done", 1, "1"),
    "error_429": Kind("429 with Retry-After: VALUE; nothing was done", 1, "1"),
    "html_answer": Kind("200 with a page of HTML instead of JSON"),
    "redirect_away": Kind("307 to another host, which must not see the token"),
    "maintenance": Kind("503, VALUE is read-only or down", None, "read-only"),
    "identity_down": Kind("500 for whoever comes with a token", None),
    "expire_tokens": Kind("refuse every token given so far"),
    "restart": Kind("stop the server and start it again; VALUE after: answer nothing, but do it"),
}
ON_READING = {
    "unknown_state": Kind("a job reads as being in state VALUE", 2, "compiling"),
    "late_output": Kind("a finished job reads as one without output (always: it never comes)", 2),
    "late_usage": Kind("the resource usage is not there yet (always: it never comes)", 2),
    "shrinking_log": Kind("only the first third of the log is there"),
    "lie_size": Kind("data items say they have VALUE bytes", None, "7"),
    "lie_hash": Kind("data items say they have the hash VALUE", None, "0" * 40),
    "lie_path": Kind("data items say their path is VALUE", None, "../../../evil.npz"),
    "lie_name": Kind("the address of a data item ends in VALUE", None, "..%2F..%2Fevil.npz"),
    "lie_type": Kind("data items say their type is VALUE", None, "text/html"),
    "two_of_one_name": Kind("a second data item of the same name, with other contents", None),
    "inconsistent_pages": Kind("pages after the first overlap with the one before", None),
}
ON_DATA = {
    "cut_download": Kind("close after half of the bytes that were announced"),
    "no_range": Kind("ignore Range and send everything", None),
    "corrupt_download": Kind("flip a byte in the middle"),
    "endless_download": Kind("bytes without end"),
    "missing_download": Kind("404"),
}
ON_JOB = {
    "fail_job": Kind("end with an error after a partial output, without running"),
    "hang_job": Kind("keep running, until the time is up or this is stopped", None),
    "no_output": Kind("finish, and leave nothing"),
    "garbage_output": Kind("every output is VALUE instead of what the script wrote", 1, "garbage"),
}
KINDS = {**ON_REQUEST, **ON_READING, **ON_DATA, **ON_JOB}


@dataclass
class Active:
    """A misbehaviour that is switched on. times: how often more."""

    name: str
    value: str
    times: int | None
    after: int = 0
    methods: tuple[str, ...] = ()
    path: str = ""
    done: int = field(default=0)

    def fits(self, method: str, path: str) -> bool:
        return (not self.methods or method in self.methods) and bool(re.search(self.path, path))


class Misbehaviours:
    """The switchboard. Safe between threads."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._active: list[Active] = []

    def start(
        self,
        name: str,
        times: int | str | None = "default",
        *,
        value: object = None,
        after: int = 0,
        methods: tuple[str, ...] | None = None,
        path: str = "",
    ) -> None:
        """Switch a misbehaviour on.

        methods, path: only for requests with one of these methods, and with a path in which the
        regular expression `path` is found. Raises ValueError for a name that is not in KINDS.
        """
        if name not in KINDS:
            raise ValueError(f"{name}: no such misbehaviour; there are: {', '.join(KINDS)}")
        kind = KINDS[name]
        active = Active(
            name,
            kind.value if value is None else str(value),
            kind.times if isinstance(times, str) else times,
            after,
            kind.methods if methods is None else methods,
            path,
        )
        if name == "maintenance":
            if active.value not in MAINTENANCE:
                raise ValueError(f"maintenance={active.value}: must be read-only or down")
            if active.value == "read-only":
                active.methods = ("POST", "PUT", "PATCH")
            else:
                active.path = path or "^/."
        with self.changed:
            self._active.append(active)
            self.changed.notify_all()

    def stop(self, name: str | None = None) -> None:
        """Switch one, or everything, off."""
        with self.changed:
            self._active = [a for a in self._active if name is not None and a.name != name]
            self.changed.notify_all()

    def active(self) -> list[Active]:
        """What is switched on."""
        with self.changed:
            return [replace(active) for active in self._active]

    def take(self, *names: str, method: str = "", path: str = "") -> Active | None:
        """The first of `names` that is to be done on this occasion; counts it as done."""
        with self.changed:
            for active in self._active:
                if active.name not in names or not active.fits(method, path):
                    continue
                if active.after > 0:
                    active.after -= 1
                    continue
                active.done += 1
                if active.times is not None and active.done >= active.times:
                    self._active.remove(active)
                    self.changed.notify_all()
                return active
        return None

    def peek(self, name: str) -> Active | None:
        """The misbehaviour if it is switched on; it is not counted."""
        return next((active for active in self.active() if active.name == name), None)

    def wait_until_stopped(self, name: str, timeout: float) -> bool:
        """Wait until `name` is off; False if it is still on after `timeout` s."""
        with self.changed:
            return self.changed.wait_for(
                lambda: all(active.name != name for active in self._active), timeout
            )


PATTERN = re.compile(r"(?P<name>\w+)(=(?P<value>[^@*]*))?(@(?P<after>\d+))?(\*(?P<times>\w+))?")


def start_from_text(misbehaviours: Misbehaviours, text: str) -> None:
    """Switch on what NAME[=VALUE][@AFTER][*TIMES] says. Raises ValueError."""
    found = PATTERN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text}: must be NAME[=VALUE][@AFTER][*TIMES]")
    said = found["times"]
    times: int | str | None = "default"
    if said == "always":
        times = None
    elif said is not None:
        if not said.isdigit():
            raise ValueError(f"{text}: TIMES must be a number or always")
        times = int(said)
    misbehaviours.start(found["name"], times, value=found["value"], after=int(found["after"] or 0))
