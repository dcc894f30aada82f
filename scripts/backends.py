"""List the backends: what is installed, in which version, what each can do.

python -m scripts.backends
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from backends import BACKENDS, IMPOSSIBLE

from .command import finish, parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "backends",
        "What is installed, its versions, what each backend can do, how to install the rest.",
        "python -m scripts.backends",
    )
    arguments.add_argument("--json", action="store_true", help="as JSON")
    options = arguments.parse_args(argv)
    rows = []
    for entry in BACKENDS.values():
        missing = entry.system.missing()
        rows.append(
            {
                "name": entry.name,
                "summary": entry.summary,
                "installed": not missing,
                "versions": {} if missing else entry.system.versions(),
                "threads": entry.system.multithreaded,
                "limits": list(entry.limits),
                "install": f"pip install -r {entry.system.requirements}" if missing else None,
            }
        )
    if options.json:
        print(json.dumps({"backends": rows, "impossible": IMPOSSIBLE}, indent=2))
        return 0
    for row in rows:
        print(f"{row['name']}: {row['summary']}")
        if row["installed"]:
            versions = row["versions"]
            assert isinstance(versions, dict)
            print("  installed: " + ", ".join(f"{k} {v}" for k, v in versions.items()))
        else:
            print(f"  not installed; install with: {row['install']}")
        print(f"  threads: {'several (--threads)' if row['threads'] else 'one'}")
        for limit in entry_limits(row["limits"]):
            print(f"  limit: {limit}")
    for name, why in IMPOSSIBLE.items():
        print(f"{name}: cannot be used\n  {why}")
    return 0


def entry_limits(limits: object) -> list[str]:
    return [str(limit) for limit in limits] if isinstance(limits, list) else []


if __name__ == "__main__":
    finish(main)
