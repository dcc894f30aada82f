"""What a failed comparison leaves to look at: a figure, and a report in one HTML file."""

from __future__ import annotations

import hashlib
import re
import shlex
import warnings
from pathlib import Path

import pytest

from analysis.compare import Comparison
from backends.runstore import write_text

from .sides import Side
from .state import COMPARISON

LONGEST = 120
"""Letters of a test's name in the name of a file."""


def folder(config: pytest.Config, otherwise: Path) -> Path:
    """Where to put the files: --comparisons, else beside the tests' report, else `otherwise`."""
    given = config.getoption("comparisons")
    if given:
        return Path(config.invocation_params.dir, given)
    for option in ("xmlpath", "htmlpath"):  # of --junitxml and pytest-html's --html
        report = config.getoption(option, None)
        if report:
            return Path(config.invocation_params.dir, report).parent / "comparisons"
    return otherwise


def show(comparison: Comparison, sides: tuple[Side, Side], item: pytest.Item, where: Path) -> str:
    """Write the figure and the report of a comparison in this test; lines that say where."""
    number = sum(name == COMPARISON for name, _ in item.user_properties) + 1
    stem = where / f"{_file_name(item.nodeid)}-{number}"
    lines = []
    where.mkdir(parents=True, exist_ok=True)
    for what, write in (("figure", _figure), ("report", _report)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the test's own filter may make them errors
                path = write(comparison, sides, item, stem)
        except Exception as error:  # what cannot be drawn must not hide why the test failed
            lines.append(f"{what}: could not be made ({type(error).__name__}: {error})")
        else:
            item.user_properties.append((COMPARISON, str(path)))
            lines.append(f"{what}: {path}")
    return "\n".join(lines)


def _file_name(nodeid: str) -> str:
    """The test's name without what file systems do not like, and not too long for them."""
    name = re.sub(r"[^\w.\[\]-]+", "-", nodeid, flags=re.ASCII)
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"


def _figure(
    comparison: Comparison, sides: tuple[Side, Side], item: pytest.Item, stem: Path
) -> Path:
    from analysis.figures import save_figure

    from . import figure

    return save_figure(figure.draw(comparison), stem, ["png"])[0]


def _report(
    comparison: Comparison, sides: tuple[Side, Side], item: pytest.Item, stem: Path
) -> Path:
    from analysis.report import Source, comparison_report

    sources = [
        Source(
            side.label,
            side.blocks[0],
            {"compared in the test": item.nodeid, **({"kept in": side.kept} if side.kept else {})},
            side.effective,
        )
        for side in sides
    ]
    path = stem.with_name(f"{stem.name}.html")
    command = f"python -m pytest {shlex.quote(item.nodeid)}"
    write_text(path, comparison_report(sources, [comparison], command))
    return path
