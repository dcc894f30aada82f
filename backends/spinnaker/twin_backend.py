"""The twin as a backend: it runs here and refuses what SpiNNaker could not compute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pynn_model.cells import CELL_TYPES
from pynn_model.experiment import Experiment, Model

from ..local import LocalBackend

CELL_TYPE = "IF_curr_exp"
ELSEWHERE = (
    f"the twin computes {CELL_TYPE} driven by currents only; use the backend spinnaker-emulator"
)
NETWORKS = {"Projection", "SpikeSourceArray", "SpikeSourcePoisson"}


class TwinBackend(LocalBackend):
    """Runs in a process on this machine, as other local backends do."""

    def _reasons(self, experiment: Experiment) -> list[str]:
        from . import reasons_in_software

        found = reasons_in_software(experiment)
        neuron = experiment.neuron
        if neuron is not None and neuron.cell_type != CELL_TYPE:
            found.append(f"neuron.cell_type = {neuron.cell_type}: {ELSEWHERE}")
        if experiment.model is not None:
            found += _absent(experiment.model)
        return found


def _absent(model: Model) -> Iterator[str]:
    """What the text of a user's own model shows; nothing is executed."""
    others = (set(CELL_TYPES) | NETWORKS) - {CELL_TYPE}
    try:
        tree = ast.parse(model.source)
    except SyntaxError:  # told by the checks that are SpiNNaker's own
        return
    told: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in others - told:
            told.add(node.attr)
            yield f"{model.file}, line {node.lineno}: {node.attr}: {ELSEWHERE}"
