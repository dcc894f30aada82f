"""Keep a rehearsal of the EBRAINS queue up, for trials of one's own.

python -m scripts.rehearse serve
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends import BACKENDS, rehearsed_by

from .command import finish, parser

if TYPE_CHECKING:
    from backends.rehearsal import Rehearsal

SYSTEMS = ("nest", "neuron", "brian2", "mock", "spiNNaker")
PROVIDERS = ("spinnaker-twin", "spinnaker-emulator")
LIFETIME = 12 * 3600.0
HELP = """\
token [USER [SECONDS]]             another token
misbehave NAME[=VALUE][@AFTER][*TIMES]   TIMES a number or always; the names: kinds
behave [NAME]                      stop doing one thing wrong, or everything
restart | stop-provider | start-provider
jobs | requests | kinds | help | quit"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "rehearse",
        "Keep a queue like EBRAINS' up on this machine: no network, no account, and nothing leaves "
        "it. Jobs run with another simulator in the place of SpiNNaker.",
        "python -m scripts.rehearse serve --misbehave error_503*3",
    )
    arguments.add_argument("action", choices=("serve", "kinds"), help="kinds: what can go wrong")
    arguments.add_argument(
        *("--system", "--provider"),
        dest="system",
        choices=(*SYSTEMS, *PROVIDERS),
        default="nest",
        help="what runs the jobs (default: nest)",
    )
    arguments.add_argument("--port", type=int, default=0, help="default: a free one")
    arguments.add_argument("--data-port", type=int, default=0, help="of the outputs' address")
    arguments.add_argument("--state", metavar="DIR", type=Path, help="keep the queue's memory here")
    arguments.add_argument("--user", default="alice", help="whose token is shown (default: alice)")
    arguments.add_argument("--lifetime", type=float, default=LIFETIME, help="s, of that token")
    arguments.add_argument("--job-timeout", type=float, metavar="S", help="instead of hours")
    arguments.add_argument(
        "--misbehave",
        metavar="NAME[=VALUE][@AFTER][*TIMES]",
        action="append",
        default=[],
        help="do something wrong; may be given again",
    )
    arguments.add_argument("--json", action="store_true", help="say the addresses as JSON")
    options = arguments.parse_args(argv)
    for name in ("port", "data_port"):
        if not 0 <= getattr(options, name) <= 65535:
            shown = name.replace("_", "-")
            arguments.error(f"--{shown} {getattr(options, name)}: must be 0 to 65535")
    system = BACKENDS["rehearsal"].system
    if options.system in PROVIDERS:
        system = BACKENDS[rehearsed_by("rehearsal", options.system)].system
        options.system = system.name
    system.require("rehearsal")
    if options.action == "kinds":
        print(kinds())
        return 0
    from backends.rehearsal import Rehearsal

    rehearsal = Rehearsal(
        options.system,
        state=options.state,
        port=options.port,
        data_port=options.data_port,
        job_timeout=options.job_timeout,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for text in options.misbehave:
            rehearsal.misbehave_as(text)
        rehearsal.start()
        introduce(rehearsal, options.user, options.lifetime, options.json)
        obey(rehearsal)
    except KeyboardInterrupt:
        return 0
    finally:
        rehearsal.close()
    return 0


def kinds() -> str:
    """A line a kind of misbehaviour."""
    from backends.rehearsal.misbehaviour import KINDS

    lines = []
    for name, kind in KINDS.items():
        usual = f"{name}={kind.value}" if kind.value else name
        times = "always" if kind.times is None else str(kind.times)
        lines.append(f"{usual + '*' + times:<45} {kind.summary}")
    return "\n".join(lines)


def introduce(rehearsal: Rehearsal, user: str, lifetime: float, as_json: bool) -> None:
    """Say where everything is. The token goes to the terminal only, and is worthless elsewhere."""
    token = rehearsal.token(user, lifetime)
    if as_json:
        row = {"base_url": rehearsal.base_url, "data_url": rehearsal.data_url, "token": token}
        print(json.dumps(row), flush=True)
        return
    print(
        f"The queue is at {rehearsal.base_url}, the outputs are at {rehearsal.data_url}.\n"
        f"Use it in another terminal (the token is {user}'s, for {lifetime:g} s, and worthless "
        "elsewhere):\n\n"
        f"export EBRAINS_BASE_URL={rehearsal.base_url}\n"
        f"export EBRAINS_AUTH_TOKEN={token}\n"
        "python -m scripts.run spinnaker mainen_sejnowski\n\n"
        f"Type here, meanwhile (Ctrl-C ends it):\n{HELP}",
        flush=True,
    )


def obey(rehearsal: Rehearsal) -> None:
    """Do what is typed, until quit."""
    for line in sys.stdin:
        words = shlex.split(line, comments=True)
        if words == ["quit"]:
            return
        if words:
            try:
                print(answer(rehearsal, *words), flush=True)
            except (TypeError, ValueError) as error:
                print(f"error: {error}", flush=True)
    threading.Event().wait()  # nobody types; a signal ends it


def answer(rehearsal: Rehearsal, command: str, *words: str) -> str:
    """Do one thing, and say what came of it. Raises ValueError."""
    if command == "token":
        user = words[0] if words else "alice"
        return rehearsal.token(user, float(words[1]) if len(words) > 1 else LIFETIME)
    if command == "misbehave":
        for word in words:
            rehearsal.misbehave_as(word)
    elif command == "behave":
        rehearsal.behave(*words)
    elif command == "restart":
        rehearsal.restart()
    elif command == "stop-provider":
        rehearsal.stop_provider()
    elif command == "start-provider":
        rehearsal.start_provider()
    elif command == "jobs":
        return "\n".join(job_line(job) for job in rehearsal.jobs) or "no jobs"
    elif command == "requests":
        lines = [f"{r.status} {r.method} {r.path} ({r.who})" for r in rehearsal.requests]
        return "\n".join(line for line in lines if "(provider)" not in line) or "no requests"
    elif command == "kinds":
        return kinds()
    else:
        return HELP
    going_on = [f"{active.name}={active.value}" for active in rehearsal.misbehaviours.active()]
    return f"misbehaving: {', '.join(going_on) or 'no'}"


def job_line(job: dict[str, Any]) -> str:
    return f"{job['id']}  {job['status']}  {job['hardware_platform']}  {job['collab']}"


if __name__ == "__main__":
    finish(main, ValueError)
