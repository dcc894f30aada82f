"""What the text of a user's own model shows about SpiNNaker; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pynn_model.cells import CELL_TYPES
from pynn_model.conventions import spinnaker_limits as limits
from pynn_model.experiment import Experiment, Model

UNCHECKED = [
    "Only the text of the model was read. Sizes, parameters and connections are known when it is "
    "built: `python run.py spiNNaker-virtual` maps it onto a virtual board where sPyNNaker is "
    "installed.",
    "What its synapses take of a core's time and memory cannot be told beforehand: SpiNNaker's log "
    "warns of spikes that came too late.",
]
ABSENT = {name for name in CELL_TYPES if name not in limits.CELL_TYPES} | {
    "SpikeSourcePoissonRefractory",
    "SpikeSourceGamma",
    "SpikeSourceInhGamma",
    "MultiCompartmentNeuron",
    "GIF_cond_exp",
    "AdExp",
    "Izikevich",
}
"""PyNN's cell types that sPyNNaker has not."""
RUNNERS = ("setup", "run", "run_for", "run_until", "reset", "end")
DRAWN = ("RandomDistribution", "NumpyRNG", "GSLRNG")


def reasons(experiment: Experiment) -> list[str]:
    """Why SpiNNaker would refuse the model or get it wrong, each with its line and a way out."""
    assert experiment.model is not None
    try:
        tree = ast.parse(experiment.model.source, feature_version=(3, 8))
    except SyntaxError as error:
        return [
            f"{experiment.model.file}, line {error.lineno}: {error.msg}; the machine's service may "
            "hold Python 3.8, write it for that"
        ]
    found = []
    for node in ast.walk(tree):
        found += [(node, reason) for reason in _reasons(experiment, node)]
    found.sort(key=lambda pair: getattr(pair[0], "lineno", 0))
    return [f"{_where(experiment.model, node)}: {reason}" for node, reason in found]


def _where(model: Model, node: ast.AST) -> str:
    return f"{model.file}, line {getattr(node, 'lineno', 0)}"


def _reasons(experiment: Experiment, node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from _imported(node)
    elif isinstance(node, ast.Attribute):
        if node.attr in ABSENT:
            yield (
                f"{node.attr}: SpiNNaker has no such cell; use one of "
                + ", ".join((*limits.CELL_TYPES, "SpikeSourceArray", "SpikeSourcePoisson"))
            )
    elif isinstance(node, ast.Call):
        yield from _called(experiment, node)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name}" for name in names]
    for name in names:
        module, _, rest = name.partition(".")
        if module == "pyNN" and rest.split(".")[0] in ("nest", "neuron", "brian2", "brian"):
            yield f"import {name}: is not where the model runs; use build's argument sim instead"
        if module in ("nest", "neuron", "brian2"):
            yield f"import {name}: a simulator that is not where the model runs; use sim instead"


def _called(experiment: Experiment, call: ast.Call) -> Iterator[str]:
    name = _name(call.func)
    given = {k.arg: _number(k.value) for k in call.keywords if k.arg}
    if name in RUNNERS and _of_sim(call.func):
        yield (
            f"sim.{name}(): the runner does this, once; on SpiNNaker a second run begins every "
            "current anew; remove the call"
        )
    if name in DRAWN:
        yield (
            f"{name}: SpiNNaker draws these numbers itself, so they cannot be had again; draw them "
            "with numpy from experiment.seed and pass a list"
        )
    if name == "NoisyCurrentSource":
        dt, mean = given.get("dt"), given.get("mean")
        if "rng" in {k.arg for k in call.keywords}:
            yield "NoisyCurrentSource: SpiNNaker refuses rng; remove it, the noise follows the seed"
        if dt is not None and abs(dt - experiment.timestep) > 1e-9:
            yield (
                f"NoisyCurrentSource, dt = {dt:g}: SpiNNaker's own noise changes every timestep, "
                f"{experiment.timestep:g} ms; set dt to that, or play noise made with numpy "
                "through a StepCurrentSource"
            )
        if mean is not None and mean < 0:
            yield (
                f"NoisyCurrentSource, mean = {mean:g}: SpiNNaker refuses a negative mean; add a "
                "DCSource and set mean = 0"
            )
    if name in limits.CELL_TYPES:
        yield from _parameters(name, given)


def _parameters(cell: str, given: dict[str, float | None]) -> Iterator[str]:
    """What literal parameters show."""
    for name, value in given.items():
        if value is None:
            continue
        if name in ("cm", "tau_m", "tau_syn_E", "tau_syn_I") and limits.fixed(value) <= 0:
            yield f"{cell}, {name} = {value:g}: is 0 or less on SpiNNaker, a fault; raise it"
        elif not -limits.LARGEST <= value < limits.LARGEST:
            yield f"{cell}, {name} = {value:g}: SpiNNaker's numbers end at ±65536; lower it"
    reset, threshold = given.get("v_reset"), given.get("v_thresh")
    if reset is not None and threshold is not None and reset >= threshold:
        yield f"{cell}, v_reset = {reset:g}: fires at every step; lower it below v_thresh"


def _name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _of_sim(func: ast.expr) -> bool:
    return (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and func.value.id == "sim"
    )


def _number(node: ast.expr) -> float | None:
    """The value of a literal number, None for anything else."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return float(value) if isinstance(value, (int, float)) else None
