"""Submit an experiment to a remote backend and leave; it runs without us.

python -m scripts.submit spinnaker mainen_sejnowski
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import backends
from backends import BackendUnavailable
from pynn_model import files

from .command import (
    add_experiment,
    add_runs,
    add_service,
    finish,
    parser,
    service_options,
    tell,
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "submit",
        "Submit an experiment to a remote backend, say which job it is, and leave.",
        "python -m scripts.submit spinnaker mainen_sejnowski",
    )
    add_experiment(arguments, "spinnaker, ebrains-demo")
    add_runs(arguments)
    arguments.add_argument("--fresh", action="store_true", help="run again, replacing the result")
    arguments.add_argument("--json", action="store_true", help="as JSON")
    add_service(arguments)
    options = arguments.parse_args(argv)
    if not backends.is_remote(options.backend):
        raise BackendUnavailable(
            f"{options.backend}: runs on this machine and would end with this command; use: "
            f"python -m scripts.run {options.backend} {options.experiment}"
        )
    given = {**service_options(options), "notice": tell}
    backend = backends.get(options.backend, options.runs, given)
    experiment = files.load(options.experiment, options.changes)
    try:
        job = backend.submit(experiment, fresh=options.fresh)
    except KeyboardInterrupt:
        tell(f"\n{backend.leaving(experiment)}")
        return 130
    from .jobs import describe  # it loads the remote client, which a refused input does not need

    row = describe(job.folder)
    if options.json:
        print(json.dumps(row, indent=2))
    elif job.served:
        print(f"run:     {job.folder}  (done before; --fresh runs it again)")
    else:
        print(f"run:     {row['run']}")
        print(f"job:     {row['job_id']} on {row['platform']}, collab {row['collab']}")
        print(backend.leaving(experiment))
    return 0


if __name__ == "__main__":
    finish(main)
