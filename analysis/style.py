"""How the figures look: colours, fonts, and text that fits where it is put.

Colours are those of Okabe & Ito (2008), which all common forms of colour vision tell apart. The
settings apply while a figure is built or saved; matplotlib's own are left as they were, and pyplot,
with its list of open figures, is not used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import neo
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#6E6E6E"
PALE = "#B8C4CE"
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Line colours in order; they differ in lightness too, so they survive a grey printer."""

TITLE, LABEL, SMALL, TINY = 9.5, 8.0, 7.0, 6.2
"""Font sizes in points, for a figure as wide as a printed page (180 mm)."""

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": LABEL,
    "axes.labelsize": LABEL,
    "axes.titlesize": TITLE,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "figure.dpi": 200.0,
    "savefig.dpi": 200.0,
    "savefig.bbox": None,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # letters stay letters in a paper's PDF
    "svg.fonttype": "path",
    "svg.hashsalt": "analysis",
    "path.simplify": True,
    "text.usetex": False,
    "text.hinting": "none",  # letters keep their widths at every resolution
}


@contextmanager
def figure_style() -> Iterator[None]:
    """matplotlib's settings for the length of a ``with`` block."""
    # The default backend is left out: asking for it would import pyplot.
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    with mpl.rc_context({**defaults, **SETTINGS}):
        yield


# --- text that fits --------------------------------------------------------------------------


class _Advances(dict[str, float]):
    """Letter -> its width in a font of one point, measured when first asked for."""

    def __init__(self, font: FT2Font) -> None:
        super().__init__()
        self._font = font
        self._letters = frozenset(font.get_charmap())
        font.set_size(100.0, 72.0)

    def has(self, letter: str) -> bool:
        return ord(letter) in self._letters

    def __missing__(self, letter: str) -> float:
        self[letter] = self._font.load_char(ord(letter)).linearHoriAdvance / 65536 / 100.0
        return self[letter]


@lru_cache(maxsize=2)
def _advances(bold: bool) -> _Advances:
    """The letters of the figures' font; it is opened once."""
    weight = "bold" if bold else "normal"
    return _Advances(FT2Font(findfont(FontProperties(family="DejaVu Sans", weight=weight))))


def printable(text: str) -> str:
    """The text on one line, with '?' for every letter that the font does not have."""
    letters = _advances(False)
    return "".join(c if letters.has(c) else "?" for c in " ".join(text.split()))


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of one line of text, inches, without kerning; `size` in points."""
    return sum(map(_advances(bold).__getitem__, text)) * size / 72.0


def shortened(text: str, width: float, size: float, bold: bool = False) -> str:
    """The text, with its middle left out if it is wider than `width` inches."""
    text = printable(text)
    if text_width(text, size, bold) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        candidate = text[: (kept + 1) // 2].rstrip() + "…" + text[len(text) - kept // 2 :].lstrip()
        if text_width(candidate, size, bold) <= width:
            return candidate
    return "…"


def cut(text: str, width: float, size: float) -> str:
    """The text, with its end left out if it is wider than `width` inches."""
    words = printable(text).split(" ")
    for kept in range(len(words), 0, -1):
        candidate = " ".join(words[:kept]) + ("" if kept == len(words) else " …")
        if text_width(candidate, size) <= width:
            return candidate
    return ""


def wrapped(parts: list[str], separator: str, width: float, size: float) -> str:
    """The parts joined by `separator`, on as many lines of `width` inches as they need."""
    lines: list[str] = []
    for part in parts:
        part = shortened(part, width, size)
        if lines and text_width(lines[-1] + separator + part, size) <= width:
            lines[-1] += separator + part
        else:
            lines.append(part)
    return "\n".join(lines)


def write(figure: Figure, x: float, y: float, text: str, size: float, **more: Any) -> None:
    """Put text at (x, y), inches from the lower left corner; a '$' in it is just a '$'."""
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, text, fontsize=size, parse_math=False, **more)


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the lower left corner."""
    whole, high = figure.get_size_inches()
    return figure.add_axes((left / whole, bottom / high, width / whole, height / high))


# --- what every figure says of its run -------------------------------------------------------


def provenance(block: neo.Block) -> list[str]:
    """Backend, timestep, seed, run and experiment of a block, as far as it says so."""
    notes = block.annotations
    parts = [str(notes["backend"])] if notes.get("backend") else []
    if "timestep" in notes:
        parts.append(f"dt {notes['timestep']:g} ms")
    if "seed" in notes:
        parts.append(f"seed {notes['seed']}")
    if notes.get("run_id"):
        parts.append(f"run {notes['run_id']}")
    if notes.get("digest"):
        parts.append(f"experiment {str(notes['digest'])[:12]}")
    if not parts:
        parts.append(str(block.name or block.file_origin or "a block without a name"))
    return parts


def headline(figure: Figure, block: neo.Block) -> None:
    """The experiment's name, bold, at the upper left, and its description as far as it fits."""
    width, height = (float(inches) for inches in figure.get_size_inches())
    name = str(block.annotations.get("experiment") or block.name or "Neo block")
    text = shortened(name, width - 2 * MARGIN, TITLE, bold=True)
    baseline = height - MARGIN - TITLE / 72.0
    write(figure, MARGIN, baseline, text, TITLE, weight="bold", va="baseline")
    described = json.loads(block.annotations.get("experiment_text") or "{}").get("description", "")
    start = MARGIN + text_width(text, TITLE, bold=True) + 0.15
    room = width - MARGIN - start
    if described and room > 1.0:
        text = cut(described, room, SMALL)
        write(figure, start, baseline, text, SMALL, color=GREY, va="baseline")


def footer(figure: Figure, block: neo.Block, captions: list[str]) -> None:
    """Captions and provenance in small grey letters at the lower left; see `footer_height`."""
    text = _footer_text(block, captions, float(figure.get_size_inches()[0]))
    write(figure, MARGIN, MARGIN, text, TINY, color=GREY, va="bottom", linespacing=1.35)


def footer_height(block: neo.Block, captions: list[str], width: float) -> float:
    """Inches that the footer takes in a figure `width` inches wide, its margin included."""
    lines = _footer_text(block, captions, width).count("\n") + 1
    return MARGIN + lines * 1.4 * TINY / 72.0


def _footer_text(block: neo.Block, captions: list[str], width: float) -> str:
    room = width - 2 * MARGIN
    lines = [wrapped(caption.split(" "), " ", room, TINY) for caption in captions]
    lines.append(wrapped(provenance(block), "  ·  ", room, TINY))
    return "\n".join(lines)


MARGIN = 0.12
"""Inches left free around a figure."""
