"""Run an experiment on a backend and draw its raster.

python -m scripts.run nest mainen_sejnowski
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import backends
from pynn_model import files

from .command import (
    ProgressLine,
    add_experiment,
    add_runs,
    add_service,
    finish,
    parser,
    service_options,
    show_log,
    tell,
)

DEFAULT = "mainen_sejnowski"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "run",
        "Run an experiment on a backend, keep the result in its run folder, draw its figures.",
        "python -m scripts.run nest mainen_sejnowski --set conditions.noise.currents.0.stdev=0.05",
    )
    add_experiment(arguments, "nest, nest-precise, neuron, brian2, spinnaker, ...", DEFAULT)
    add_runs(arguments)
    arguments.add_argument("--fresh", action="store_true", help="run again, replacing the result")
    arguments.add_argument("--threads", type=int, default=1, help="threads of the simulator")
    arguments.add_argument(
        "--provider",
        metavar="NAME",
        help="who serves the queue of the backend rehearsal: nest (default), spinnaker-twin, "
        "spinnaker-emulator",
    )
    arguments.add_argument("--no-figure", action="store_true", help="draw nothing")
    arguments.add_argument("--json", action="store_true", help="say where the result is as JSON")
    add_service(arguments)
    options = arguments.parse_args(argv)
    if options.threads < 1:
        arguments.error(f"--threads {options.threads}: must be at least 1")

    options.backend = backends.rehearsed_by(options.backend, options.provider)
    given: dict[str, Any] = service_options(options)
    remote = backends.is_remote(options.backend)
    if remote:
        given["notice"] = tell
    backend = backends.get(options.backend, options.runs, given)
    experiment = files.load(options.experiment, options.changes)
    line = None if remote else ProgressLine(f"{experiment.name} on {options.backend}")
    try:
        job = backend.submit(experiment, threads=options.threads, fresh=options.fresh)
        job.on_log = show_log
        # While the simulator works there is time to load what its result will need.
        from . import products

        job.result(progress=line)
    except KeyboardInterrupt:
        leaving = backend.leaving(experiment)
        if not leaving:
            raise
        tell(f"\n{leaving}")
        return 130
    finally:
        if line is not None:
            line.close()
    products.report(job, with_figure=not options.no_figure, as_json=options.json)
    return 0


if __name__ == "__main__":
    finish(main)
