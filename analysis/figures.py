"""Which figures a block gets, and how a figure becomes files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import neo
from matplotlib.figure import Figure

from analysis.fi_curve import fi_figure, has_levels
from analysis.isi import isi_figure
from analysis.raster import raster_figure
from analysis.style import figure_style

# No date and no version goes into a file: the same figure gives the same bytes. A weak
# compression takes a third of the time and a twelfth more bytes.
_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 1}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
FORMATS = tuple(_OPTIONS)
"""What :func:`save_figure` can write."""


def figures_for(block: neo.Block) -> dict[str, Callable[[], Figure]]:
    """The figures that suit a block: name -> a function that draws it; the main one first.

    A block with a swept level gets "fi_curve" first; every block gets "raster" and "isi".
    """
    figures: dict[str, Callable[[], Figure]] = {}
    if has_levels(block):
        figures["fi_curve"] = partial(fi_figure, block)
    figures["raster"] = partial(raster_figure, block)
    figures["isi"] = partial(isi_figure, block)
    return figures


def save_figure(
    figure: Figure,
    path_without_suffix: str | os.PathLike[str],
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write a figure as PNG (200 dpi), SVG, PDF; returns the files' paths, in that order.

    Each file appears under its name only when it is complete. The same figure always gives the
    same bytes.

    Raises ValueError for a format that is not one of FORMATS, before anything is written.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise ValueError(f"figure format {kind!r} is not known; there are {', '.join(FORMATS)}")
    base = Path(path_without_suffix)
    written = []
    for kind in formats:
        target = base.with_name(f"{base.name}.{kind}")
        temporary = base.with_name(f".{target.name}.part-{os.getpid()}")
        try:
            with figure_style():
                figure.savefig(temporary, format=kind, **_OPTIONS[kind])
            os.replace(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        written.append(target)
    return written
