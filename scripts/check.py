"""Ask whether a backend can run an experiment, and what it costs there; nothing is started.

python -m scripts.check spinnaker mainen_sejnowski --preview
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import backends
from backends import Backend, BackendUnavailable, UnsupportedExperiment
from pynn_model import files
from pynn_model.experiment import Experiment

from .command import add_experiment, finish, parser

SPINNAKER = "spinnaker"
PREVIEWED = ("spinnaker", "spinnaker-twin", "spinnaker-emulator")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "check",
        "Ask whether a backend can run an experiment, with every reason if it cannot, and what\n"
        "the run takes. Nothing is started. Exit status 2 if the experiment is refused.",
        "python -m scripts.check spinnaker mainen_sejnowski --set trials=100",
    )
    add_experiment(arguments, "nest, spinnaker, ...")
    arguments.add_argument("--threads", type=int, default=1, help="threads of the simulator")
    arguments.add_argument(
        "--preview",
        action="store_true",
        help="what SpiNNaker's arithmetic will do to parameters, currents and spikes (simulates "
        "the experiment twice)",
    )
    arguments.add_argument("--json", action="store_true", help="as JSON")
    options = arguments.parse_args(argv)
    if options.preview and options.backend not in PREVIEWED:
        raise UnsupportedExperiment(
            options.backend, [f"--preview: it is of SpiNNaker ({', '.join(PREVIEWED)})"]
        )
    backend = backends.get(options.backend)
    experiment = files.load(options.experiment, options.changes)
    refused: Exception | None = None
    reasons: list[str] = []
    try:
        backend.check(experiment, threads=options.threads)
    except UnsupportedExperiment as error:
        refused, reasons = error, error.reasons
    except BackendUnavailable as error:
        refused, reasons = error, [str(error)]
    if options.json:
        report = {
            "backend": options.backend,
            "experiment": experiment.name,
            "digest": experiment.digest,
            "ok": refused is None,
            "reasons": reasons,
            "cost": None if refused else _cost(backend, experiment),
        }
        if options.preview:
            report["preview"] = None if refused else _preview(experiment).to_dict()
        print(json.dumps(report, indent=2))
        return 2 if refused else 0
    if refused:
        raise refused
    print(f"ok: {options.backend} can run {experiment.name}")
    print(_cost_text(backend, experiment))
    if options.preview:
        from backends.spinnaker import preview_text

        print("\n" + preview_text.text(_preview(experiment)))
    return 0


def _preview(experiment: Experiment) -> Any:
    """Imported where it is used: it loads simulators."""
    from backends.spinnaker import preview

    return preview.preview(experiment)


def _on_spinnaker(backend: Backend) -> bool:
    return str(getattr(backend, "platform", "")).lower() == SPINNAKER


def _cost(backend: Backend, experiment: Experiment) -> dict[str, Any]:
    if _on_spinnaker(backend):
        from backends import spinnaker

        return spinnaker.cost(experiment).to_dict()
    record = experiment.record
    known = experiment.model is None
    samples = round(experiment.duration / record.v_interval)
    n_v = record.v * len(experiment.conditions)
    return {
        "neurons": experiment.trials * len(experiment.conditions) if known else None,
        "steps": experiment.n_steps,
        "potentials": 8 * samples * n_v if known else None,
        "notes": [] if known else ["The size of the model is known when it is built."],
    }


def _cost_text(backend: Backend, experiment: Experiment) -> str:
    if _on_spinnaker(backend):
        from backends import spinnaker

        return spinnaker.cost(experiment).text()
    cost = _cost(backend, experiment)
    lines = [f"steps              {cost['steps']}"]
    if cost["neurons"] is not None:
        lines.insert(0, f"neurons            {cost['neurons']}")
        lines.append(f"potentials         {cost['potentials'] / 1e6:.1f} MB")
    return "\n".join([*lines, *(f"note: {note}" for note in cost["notes"])])


if __name__ == "__main__":
    finish(main)
