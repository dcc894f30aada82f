"""The tables of :mod:`scripts.bench`: measured values, goals, and how they are printed."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

Seconds = dict[str, float]


@dataclass
class Line:
    """One measured quantity: of ours, and of bare PyNEST where there is one.

    ours, bare: medians, in `unit` (s or MB); bare may be a library's.
    ratio: the median of ours / bare over the turns.
    goal: what the ratio, or ours where there is no ratio, has to stay below. met: whether it does.
    """

    what: str
    ours: float
    unit: str = "s"
    bare: float | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.goal is not None:
            self.met = self.judged < self.goal

    @property
    def judged(self) -> float:
        """What the goal is about."""
        return self.ours if self.ratio is None else self.ratio

    def verdict(self) -> str:
        """Whether the goal is met, and by how much."""
        if self.goal is None:
            return ""
        sign = " x" if self.ratio is not None else f" {self.unit}"
        share = abs(self.judged / self.goal - 1.0)
        how = f"met, {share:.0%} below" if self.met else f"NOT met, {share:.1%} above"
        return f"< {self.goal:g}{sign}: {how}"


@dataclass
class Table:
    """Lines under a heading. against: whose values the second column holds."""

    title: str
    lines: list[Line]
    remark: str = ""
    against: str = "bare"


# --- lines from the runs of both sides ---------------------------------------------------------


def median(values: Iterable[float]) -> float:
    """The median as a plain float."""
    return float(statistics.median(values))


def alone(
    what: str, runs: Sequence[Seconds], *names: str, unit: str = "s", goal: float | None = None
) -> Line:
    """The sum of some phases, of ours only."""
    return Line(what, median(sum(run[name] for name in names) for run in runs), unit, goal=goal)


def beside(
    what: str, ours: Sequence[float], bare: Sequence[float], goal: float | None = None
) -> Line:
    """One value of each turn, of ours and of the bare script."""
    ratio = median(a / b for a, b in zip(ours, bare, strict=True))
    return Line(what, median(ours), "s", median(bare), ratio, goal)


def phases(
    what: str,
    ours: Sequence[Seconds],
    bare: Sequence[Seconds],
    *names: str,
    goal: float | None = None,
) -> Line:
    """The sum of some phases, of ours and of the bare script."""
    sums = [[sum(run[name] for name in names) for run in runs] for runs in (ours, bare)]
    return beside(what, sums[0], sums[1], goal)


def memory(what: str, ours: Sequence[float], bare: Sequence[float]) -> Line:
    """Peak memory in MB."""
    return Line(what, median(ours), "MB", median(bare), median(ours) / median(bare))


# --- what is printed ---------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """What the numbers depend on beside this project."""
    names = ("nest-simulator", "pyNN", "neo", "nixio", "numpy", "numba", "matplotlib")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def head(found: dict[str, Any], repeats: int, quick: bool) -> str:
    """Machine, versions and number of runs, above the tables."""
    versions = [f"{name} {version}" for name, version in list(found.items())[4:]]
    how = "one run of each, small: the numbers mean nothing" if quick else f"medians of {repeats}"
    return (
        f"{found['processor']}, {found['cores']} cores, load {found['load']}, {found['system']}\n"
        f"{', '.join(versions)}\n{how}\n"
    )


def text(table: Table) -> str:
    """A table for people."""
    rows = [("", "ours", table.against, "ratio", "goal")]
    for line in table.lines:
        bare = "" if line.bare is None else _number(line.bare, line.unit)
        ratio = "" if line.ratio is None else f"{line.ratio:.2f} x"
        rows.append((line.what, _number(line.ours, line.unit), bare, ratio, line.verdict()))
    wide = [max(len(row[k]) for row in rows) for k in range(4)]
    wide[0] = max(wide[0], 38)
    written = [table.title]
    for row in rows:
        cells = [row[0].ljust(wide[0]), *(row[k].rjust(max(wide[k], 9)) for k in (1, 2, 3))]
        written.append("  ".join([*cells, row[4]]).rstrip())
    return "\n".join([*written, table.remark] if table.remark else written)


def _number(value: float, unit: str) -> str:
    return f"{value:.0f} MB" if unit == "MB" else f"{value:.3f} s"


def verdict(tables: Sequence[Table]) -> str:
    """How many goals are met, and which are not."""
    judged = [line for table in tables for line in table.lines if line.met is not None]
    missed = [line.what.strip(" :") for line in judged if not line.met]
    if not missed:
        return "The goal is met." if len(judged) == 1 else f"All {len(judged)} goals are met."
    verb = "is" if len(missed) == 1 else "are"
    return f"{len(missed)} of {len(judged)} goals {verb} not met: {'; '.join(missed)}."


def as_json(
    found: dict[str, Any], repeats: int, quick: bool, tables: Sequence[Table]
) -> dict[str, Any]:
    """All of it as a JSON object."""
    return {
        "machine": found,
        "repeats": repeats,
        "quick": quick,
        "tables": [asdict(table) for table in tables],
    }
