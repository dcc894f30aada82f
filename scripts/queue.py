"""The queue of the remote service: whether it works, how long it is, what quota is left.

python -m scripts.queue --collab my-collab
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from backends import ebrains
from backends.ebrains import QueueClient, Refused, TokenNeeded

from .command import add_service, finish, parser, service_options, tell


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "queue",
        "Show the state of the remote service, the jobs of each platform, and a collab's quota.",
        "python -m scripts.queue --collab my-collab",
    )
    arguments.add_argument("--json", action="store_true", help="as JSON")
    add_service(arguments)
    options = arguments.parse_args(argv)
    settings, notice = ebrains.split({**service_options(options), "notice": tell})
    client = QueueClient(settings, ebrains.standard(settings.token_command), notice=notice)
    about = client.about()
    found: dict[str, Any] = {
        "service": client.base_url,
        "version": about.get("version"),
        "status": about.get("status"),
        "queues": client.queue_length(),
        **quotas(client, options),
    }
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"service: {found['service']} (version {found['version']}): {found['status']}")
    for queue in found["queues"]:
        name = str(queue.get("queue_name"))
        print(f"  {name:<18} {queue.get('running')} running, {queue.get('submitted')} waiting")
    if found["collab"] is None:
        print(f"quota:   {found['problem']}")
        return 0
    print(f"collab:  {found['collab']}")
    for quota in found["quotas"]:
        used = f"{quota.get('usage')} of {quota.get('limit')} {quota.get('units')} used"
        print(f"  {quota.get('platform')!s:<18} {used}")
    if not found["quotas"]:
        print(f"  {found['problem'] or 'no quota yet; the first job on SpiNNaker makes one'}")
    return 0


def quotas(client: QueueClient, options: argparse.Namespace) -> dict[str, Any]:
    """The collab and its quotas; without a token, why they are not known."""
    collab, problem = client.settings.collab, None
    rows: list[Any] = []
    try:
        if collab is None:
            username = client.token.get().username or client.user_id()
            collab = f"private-{username}" if username else None
            problem = None if username else "the token does not tell your user name; use --collab"
        if collab is not None:
            for project in client.projects(collab):
                rows.extend(project.get("quotas") or ())
    except (Refused, TokenNeeded) as error:
        problem = str(error)
    return {"collab": collab, "quotas": rows, "problem": problem}


if __name__ == "__main__":
    finish(main)
