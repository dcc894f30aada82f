"""The architecture: who may import whom, and what the shipped code may need."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"pynn_model", "backends", "analysis", "scripts", "tests"}
MAY_IMPORT = {
    "pynn_model": set(),
    "backends": {"pynn_model"},
    "analysis": {"pynn_model"},
    "scripts": {"pynn_model", "backends", "analysis"},
}
SIMULATORS = {"nest", "neuron", "brian2"}


def imports(path):
    """Top-level names of the absolute imports of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_packages_import_only_what_the_design_allows(package):
    allowed = MAY_IMPORT[package] | {package}
    for path in (ROOT / package).rglob("*.py"):
        assert set(imports(path)) & PACKAGES <= allowed, path


def test_the_shipped_code_needs_numpy_and_pynn_only():
    """Simulators only in their own convention file; tomllib and tomli_w only in files.py."""
    for path in (ROOT / "pynn_model").rglob("*.py"):
        allowed = set(sys.stdlib_module_names) | {"numpy", "pyNN", "pynn_model"}
        if path.name.startswith("on_"):
            allowed |= SIMULATORS
        if path.name == "files.py":
            allowed |= {"tomli_w"}
        else:
            allowed -= {"tomllib"}
        assert set(imports(path)) <= allowed, path


def test_the_shipped_code_is_python_3_8():
    for path in (ROOT / "pynn_model").rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_no_file_shadows_a_simulator():
    names = {path.stem for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    assert not names & SIMULATORS
