"""Plots as SVG that fits every width, prints as lines and is zoomed by changing one attribute.

A plot is as wide as its box: everything is placed in percent of the width and pixels of the
height, so that letters keep their size. Data is drawn in whole numbers, 0 to SPAN in x and in y
downwards, inside a nested <svg> stretched over the axes; lines keep their width
(``vector-effect``). To zoom is to change that nested element's viewBox; page.js does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.report.markup import Content, Markup, joined, tag, text
from analysis.spikearrays import FloatArray, IntArray
from analysis.words import minus

SPAN = 1_000_000
"""Steps from one end of an axis to the other: a nanosecond of a millisecond, 1 µs of a second."""

MAX_DOTS = 10_000
"""Dots of one run in one plot: more cannot be told apart and would make the file large."""

MAX_IN_A_PATH = 4000
"""Marks in one path. More are cut into stretches along x, of which a zoom paints the visible."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` (low < high), in the units that `label` names.

    ticks: where to write numbers; None for round numbers, at most `most` intervals of them.
    whole: numbers only at whole values (of trials, of spikes).
    """

    low: float
    high: float
    label: str
    ticks: tuple[float, ...] | None = None
    most: int = 6
    whole: bool = False

    def place(self, values: FloatArray) -> FloatArray:
        """Values as steps of the axis, 0 to SPAN within it; whole numbers."""
        scaled = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return np.rint(np.clip(scaled, -1.0, 2.0) * SPAN)

    def positions(self) -> list[float]:
        if self.ticks is not None:
            return [tick for tick in self.ticks if self.low <= tick <= self.high]
        return round_ticks(self.low, self.high, self.most, self.whole)


def round_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Multiples of a round number between low and high: `most` intervals at the most.

    Round are 1, 2, 2.5 and 5 times a power of ten; with `whole`, whole numbers of them.
    """
    rough = max((high - low) / max(most, 1), 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9)]
    step = next(s for s in steps if not whole or s == round(s))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def padded(
    low: float, high: float, least: float = 0.0, margin: float = 0.06
) -> tuple[float, float]:
    """The range with a margin at both ends, and at least `least` wide around its middle."""
    missing = max(0.0, least - (high - low)) / 2
    low, high = low - missing, high + missing
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    room = margin * (high - low)
    return low - room, high + room


def tick_text(value: float) -> str:
    return minus(f"{0.0 if abs(value) < 1e-12 else value:.6g}")


@dataclass(frozen=True)
class Plot:
    """Axes with what is drawn in them.

    title: what the plot shows, in words, for those who do not see it.
    height: of the axes, pixels. link: plots of a figure with the same link are zoomed together
    along x; rows: what the rows of a plot are that is zoomed along y too ("trial"). numbers: is the
    x axis numbered? That of a plot with another below it is not. note: words in the middle.
    """

    title: str
    x: Axis
    y: Axis
    height: int
    layers: Sequence[Markup]
    link: str | None = None
    rows: str | None = None
    note: str = ""
    numbers: bool = True
    class_: str = ""

    def markup(self) -> Markup:
        grid = tag("g", *self._x_ticks(), class_="x-ticks", aria_hidden="true")
        rows = tag("g", *self._y_ticks(), class_="y-ticks", aria_hidden="true")
        data = tag(
            "svg",
            *self.layers,
            class_="data",
            width="100%",
            height=self.height,
            viewBox=f"0 0 {SPAN} {SPAN}",
            preserveAspectRatio="none",
        )
        return tag(
            "svg",
            grid,
            rows,
            data,
            self._frame(),
            tag("text", self.note, x="50%", y=self.height / 2, text_anchor="middle")
            if self.note
            else None,
            tag("rect", class_="hit", width="100%", height=self.height) if self.link else None,
            class_=f"plot {self.class_}".rstrip(),
            role="img",
            aria_label=self.title,  # a <title> would pop up over the plot
            width="100%",
            height=self.height + (40 if self.numbers else 8),
            data_height=self.height,
            data_link=self.link,
            data_rows=self.rows,
            data_numbers=self.numbers,
            data_x=_pair(self.x),
            data_y=_pair(self.y),
            data_most=f"{self.x.most} {self.y.most}",
            data_whole=f"{int(self.x.whole)} {int(self.y.whole)}",
        )

    def _x_ticks(self) -> list[Markup]:
        drawn = []
        for value in self.x.positions():
            at = f"{100 * (value - self.x.low) / (self.x.high - self.x.low):.4g}%"
            drawn.append(tag("line", class_="grid", x1=at, x2=at, y1=0, y2=self.height))
            if self.numbers:
                label = tick_text(value)
                drawn.append(
                    tag("text", label, x=at, y=self.height + 16, text_anchor="middle")
                )  # fmt: skip
        return drawn

    def _y_ticks(self) -> list[Markup]:
        drawn = []
        for value in self.y.positions():
            at = self.height * (self.y.high - value) / (self.y.high - self.y.low)
            drawn.append(tag("line", class_="grid", x1=0, x2="100%", y1=at, y2=at))
            drawn.append(tag("text", tick_text(value), x=-7, y=at + 4.0, text_anchor="end"))
        return drawn

    def _frame(self) -> Markup:
        foot = self.height + 34
        name = tag("text", self.x.label, class_="label", x="50%", y=foot, text_anchor="middle")
        return tag(
            "g",
            tag("line", class_="axis", x1=0, x2=0, y1=0, y2=self.height),
            tag("line", class_="axis", x1=0, x2="100%", y1=self.height, y2=self.height),
            tag(
                "text", self.y.label, class_="label", text_anchor="middle",
                transform="rotate(-90)", x=-self.height / 2, y=-52,
            ),
            name if self.numbers else None,
            aria_hidden="true",
        )  # fmt: skip


def _pair(axis: Axis) -> str:
    return f"{axis.low!r} {axis.high!r}"


# --- what is drawn in it ---------------------------------------------------------------------


def curve(axis_x: Axis, axis_y: Axis, x: FloatArray, y: FloatArray, class_: str) -> Markup:
    """A line through the points; where one is NaN the line is interrupted."""
    return _path(_line(axis_x.place(x), SPAN - axis_y.place(y)), class_)


def steps(axis_x: Axis, axis_y: Axis, x: FloatArray, y: FloatArray, class_: str) -> Markup:
    """From x[k] on it is y[k]; the last x is where it ends."""
    return curve(axis_x, axis_y, np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], class_)


def band(axis_x: Axis, axis_y: Axis, x: FloatArray, low: FloatArray, high: FloatArray, class_: str) -> Markup:  # fmt: skip  # noqa: E501
    """The area between two lines."""
    kept = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[kept], low[kept], high[kept]
    across = np.concatenate([axis_x.place(x), axis_x.place(x)[::-1]])
    along = SPAN - np.concatenate([axis_y.place(low), axis_y.place(high)[::-1]])
    return _path(_line(across, along), class_)


def dots(
    axis_x: Axis, axis_y: Axis, x: FloatArray, y: FloatArray, class_: str, size: float = 2.6
) -> Markup:
    """A round dot, `size` pixels wide, at each point: a line of no length with round ends."""
    across, down = axis_x.place(x), SPAN - axis_y.place(y)
    paths = [_moves(across[part], down[part], "h0") for part in _stretches(across)]
    return joined(
        tag("path", d=drawn, class_=f"dots {class_}", stroke_width=size) for drawn in paths
    )


def vertical(
    axis_x: Axis, x: FloatArray, top: FloatArray, bottom: FloatArray, class_: str
) -> Markup:
    """A vertical line at each x; top and bottom in steps of the y axis, from above.

    Each is written by its distance from the one before, which takes half the space.
    """
    across, lengths = axis_x.place(x), bottom - top
    return joined(
        _path(_moves(across[part], top[part], lengths[part]), class_) for part in _stretches(across)
    )


def _stretches(across: FloatArray) -> list[IntArray]:
    """The marks of each path: all, or where they are many those of each stretch of the x axis."""
    n = across.size
    if n <= MAX_IN_A_PATH:
        return [np.arange(n)] if n else []
    count = min(64, -(-2 * n // MAX_IN_A_PATH))
    stretch = np.clip(across * count // SPAN, 0, count - 1)
    found = (np.flatnonzero(stretch == k) for k in range(count))
    return [part for part in found if part.size]


def _moves(x: FloatArray, y: FloatArray, lengths: FloatArray | str) -> Markup:
    """Relative moves to each point, and from there a vertical line (or what is given)."""
    if x.size == 0:
        return Markup("")
    if isinstance(lengths, str):
        then, ends = [lengths] * x.size, y
    else:
        then, ends = [f"v{down:.0f}" for down in lengths.tolist()], y + lengths
    right = np.diff(x, prepend=0.0).astype(np.int64).tolist()
    down = (y - np.concatenate([[0.0], ends[:-1]])).astype(np.int64).tolist()
    # A minus sign needs no space before it.
    steps = zip(right, down, then, strict=True)
    return Markup("".join(f"m{a}{'' if b < 0 else ' '}{b}{c}" for a, b, c in steps))


def _line(x: FloatArray, y: FloatArray) -> Markup:
    finite = np.isfinite(x) & np.isfinite(y)
    parts, drawing = [], False
    for a, b, ok in zip(x.tolist(), y.tolist(), finite.tolist(), strict=True):
        if ok:
            parts.append(f"{'L' if drawing else 'M'}{a:.0f} {b:.0f}")
        drawing = ok
    return Markup("".join(parts))


def _path(drawn: Markup, class_: str) -> Markup:
    return tag("path", d=drawn, class_=class_) if drawn else Markup("")


def thinned(n: int) -> slice:
    """Which of n points are drawn as dots: all, or at even distances not more than MAX_DOTS."""
    return slice(None, None, -(-n // MAX_DOTS) if n > MAX_DOTS else 1)


def thinning(numbers: Sequence[int]) -> list[str]:
    """What a caption says of plots with so many dots of each run."""
    most = max(numbers, default=0)
    if most <= MAX_DOTS:
        return []
    return [f"of up to {most} dots of a run at most {MAX_DOTS} are drawn, at even distances"]


# --- figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """An entry of a legend: what a mark means. kind: line, tick, dot, dash, band."""

    label: str
    class_: str
    kind: str = "line"
    switches: str | None = None
    """The class of what the entry shows and hides, where it can."""


_SAMPLES = {
    "line": "M1 7h22",
    "dash": "M1 7h22",
    "tick": "M12 1v12",
    "dot": "M12 7h0",
    "band": "M1 3h22v8h-22z",
}


def legend(keys: Sequence[Key]) -> Markup:
    """The marks of a figure and what they mean; runs can be switched off one by one."""
    return tag("ul", *(_key(key) for key in keys), class_="legend")


def _key(key: Key) -> Markup:
    sample = tag(
        "svg",
        tag("path", d=_SAMPLES[key.kind], class_=f"{key.class_} sample-{key.kind}"),
        width=24,
        height=14,
        aria_hidden="true",
    )
    if key.switches is None:
        return tag("li", sample, tag("span", key.label))
    box = tag("input", type="checkbox", checked=True, class_="tool", data_switch=key.switches)
    return tag("li", tag("label", box, sample, tag("span", key.label)))


def figure(
    id_: str,
    caption: Content,
    parts: Sequence[Content],
    keys: Sequence[Key] = (),
    **attributes: str,
) -> Markup:
    """A figure with its legend above and its caption below."""
    return tag(
        "figure",
        legend(keys) if keys else None,
        *parts,
        tag("figcaption", caption, id=f"{id_}-caption"),
        id=id_,
        **attributes,
        aria_labelledby=f"{id_}-caption",
    )


def box(plot: Plot) -> Markup:
    """A plot with room for its labels at the left."""
    return tag("div", plot.markup(), class_="axes")


def panels(plots: Sequence[tuple[str, Plot]]) -> Markup:
    """Small plots side by side as far as there is room, each under its name."""
    return tag(
        "div",
        *(tag("div", tag("p", text(name), class_="panel-name"), box(plot)) for name, plot in plots),
        class_="panels",
    )
