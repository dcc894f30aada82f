"""What is made from a finished run: the Neo block, the NIX file, the figures, the table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import neo

from analysis.blocks import NIX_TRAINS_LIMIT, load_block, signal, write_block
from analysis.figures import figures_for, save_figure
from analysis.statistics import TrialStatistics, summary
from backends import Job


def report(job: Job, with_figure: bool, as_json: bool = False) -> None:
    """Make the Neo file and the main figure of a finished run, and say what there is."""
    block = load_block(job.folder)
    nix = write_nix(block, job.folder)
    if as_json:
        figures = draw(block, job.folder, ("png",), main_only=True) if with_figure else []
        told = {
            "run": job.run_id,
            "state": job.state().value,
            "folder": str(job.folder),
            "served": job.served,
            "figures": [str(path) for path in figures],
        }
        print(json.dumps(told, indent=2))
        return
    print(table(block))
    print()
    for note in str(block.annotations.get("notes", "")).splitlines():
        print(f"note:    {note}")
    again = "  (done before; --fresh runs it again)" if job.served else ""
    print(f"run:     {job.folder}{again}")
    print(f"neo:     {nix}")
    if with_figure:
        for path in draw(block, job.folder, ("png",), main_only=True):
            print(f"figure:  {path}")


def write_nix(block: neo.Block, folder: Path) -> str:
    """Write recording.nix unless it is there or would take long; says what was done."""
    path = folder / "recording.nix"
    trains = sum(len(segment.spiketrains) for segment in block.segments)
    if path.exists():
        return str(path)
    if trains > NIX_TRAINS_LIMIT:
        return (
            f"not written: {trains} spike trains, over {NIX_TRAINS_LIMIT} NIX takes long "
            f"(python -m scripts.export {folder} --format nix)"
        )
    write_block(block, path, "nix")
    return str(path)


def draw(
    block: neo.Block, folder: Path, formats: Sequence[str], main_only: bool = False
) -> list[Path]:
    """Draw the block's figures, or only the main one, into the folder's figures/."""
    drawers = figures_for(block)
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    paths: list[Path] = []
    for name in list(drawers)[: 1 if main_only else None]:
        paths.extend(save_figure(drawers[name](), target / name, formats))
    return paths


def table(block: neo.Block) -> str:
    """A line a condition: spikes, rate, CV, and how well the trials repeat."""
    head = ("condition", "trains", "spikes", "rate (Hz)", "CV", "reliability", "precision (ms)")
    rows = [head]
    for segment in block.segments:
        repeated = repeats_one_stimulus(block, segment)
        rows.append(_row(str(segment.name), summary(segment), repeated))
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def repeats_one_stimulus(block: neo.Block, segment: neo.Segment) -> bool:
    """Whether the trains are trials of one stimulus, and not cells of a network."""
    return signal(segment, "stimulus") is not None or "experiment_text" not in block.annotations


def _row(name: str, s: TrialStatistics, repeated: bool) -> tuple[str, ...]:
    return (
        name,
        str(s.n_trials),
        str(s.n_spikes),
        f"{s.rate_mean:.1f} ± {s.rate_sd:.1f}" if s.n_trials > 1 else f"{s.rate_mean:.1f}",
        number(s.cv, 2),
        number(s.reliability.value if repeated else None, 2),
        number(s.precision.value if repeated else None, 2),
    )


def number(value: float | None, digits: int) -> str:
    """A number for people; '-' where it is undefined."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"
