"""A pytest plugin: run experiments on backends in your own tests, and compare the spikes.

Enable it in a project of your own, without installing anything:

    PYTHONPATH=CHECKOUT/scripts/testing python -m pytest -p pytest_pynn.plugin

or, with ``pip install -e CHECKOUT`` once, by nothing at all. This folder is all that has to be on
Python's path. The plugin takes `pynn_model`, `backends` and `analysis` from the checkout around it
and leaves the path as it was, so that a project's own `scripts`, `tests` or `models` stay its own.

:mod:`.plugin` the options, hooks and fixtures · :mod:`.selection` which backends a test is for ·
:mod:`.session` what the fixtures do · :mod:`.runs` runs made once · :mod:`.baselines` recorded runs
in files · :mod:`.checks` the assertions, on two :mod:`.sides` · :mod:`.evidence` and :mod:`.figure`
what a failed one leaves to look at · :mod:`.state` what hooks and fixtures tell each other
"""

from __future__ import annotations

import importlib
import importlib.abc
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
"""The checkout."""

PACKAGES = ("pynn_model", "backends", "analysis")


def _import_from_checkout() -> None:
    """Load the packages by their names, from this checkout and nowhere else."""
    if not (ROOT / PACKAGES[0]).is_dir():
        raise ImportError("pytest_pynn works from a checkout; install it with pip install -e")
    sys.path.insert(0, str(ROOT))
    try:
        for name in PACKAGES:
            found = Path(str(importlib.import_module(name).__file__)).resolve().parent
            if found != ROOT / name:
                raise ImportError(
                    f"pytest_pynn needs the package {name} of {ROOT}, but {found} was imported "
                    "under that name before; rename one of the two"
                )
    finally:
        sys.path.remove(str(ROOT))


class _NameTaken(importlib.abc.MetaPathFinder):
    """Says why a project's own module is not found where the checkout has taken its package."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        package = fullname.partition(".")[0]
        if package == fullname or package not in PACKAGES:
            return
        for folder in map(Path, sys.path):
            where = folder / fullname.replace(".", "/")
            if folder != ROOT and (where.is_dir() or where.with_suffix(".py").is_file()):
                raise ImportError(
                    f"{where}: the name {package} is taken by the plugin pytest_pynn, for "
                    f"{ROOT / package}; to use both in one test run, rename {folder / package}",
                    name=fullname,
                )


_import_from_checkout()
sys.meta_path.append(_NameTaken())  # the last to be asked: what others find is not its business
