"""A user's own model, read as text: nothing of it is executed before the run."""

from __future__ import annotations

import ast
import json
import math
from typing import Any, Dict, Optional

from .experiment import Model
from .schema import Reader, nearest, show


def read_model(r: Reader) -> Optional[Model]:
    file, source = r.text("file"), r.text("source", "")
    given = r.table("parameters")
    r.finish()
    if not source:
        return None  # the file could not be read, which is already noted
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        r.refuse("file", "is not valid Python: {} (line {})".format(error.msg, error.lineno))
        return None
    _check_build(r, tree)
    defaults = _declared_parameters(r, tree)
    for key in given.data:
        if key not in defaults:
            r.problems.append(
                "{} = {}: {} declares no such parameter{}; it declares: {}".format(
                    given.name(key),
                    show(given.data[key]),
                    file,
                    nearest(key, defaults),
                    ", ".join(sorted(defaults)) or "none (PARAMETERS = {...} at its top level)",
                )
            )
        elif not _same_kind(given.data[key], defaults[key]):
            given.refuse(
                key, "must be of the same kind as its default, {}".format(show(defaults[key]))
            )
    parameters = dict(defaults, **given.data)
    for key, default in defaults.items():
        if isinstance(default, float) and _same_kind(parameters[key], default):
            parameters[key] = float(parameters[key])  # 80 and 80.0 are one experiment
    return Model(file, source, parameters)


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    return type(value) is type(default)


def _check_build(r: Reader, tree: ast.Module) -> None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            if len(node.args.args) != 2:
                r.refuse("file", "build must take two arguments: build(sim, experiment)")
            return
    r.refuse("file", "must define build(sim, experiment) at its top level")


def _declared_parameters(r: Reader, tree: ast.Module) -> Dict[str, Any]:
    """The literal ``PARAMETERS = {...}`` of the model file, read without running the file."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "PARAMETERS" for target in node.targets
        ):
            try:
                declared = ast.literal_eval(node.value)
                json.dumps(declared, allow_nan=False)
            except (ValueError, TypeError):
                declared = None
            if not isinstance(declared, dict) or not all(isinstance(k, str) for k in declared):
                r.refuse("file", "PARAMETERS must be a literal dict of numbers, texts and lists")
                return {}
            return declared
    return {}
