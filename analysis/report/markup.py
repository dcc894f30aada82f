"""HTML in which every text is escaped unless it is HTML already.

Names come from files of other people: a condition called ``<script>`` must stay a name. So nothing
but :func:`tag` and :func:`joined` makes Markup, and both escape whatever is not Markup.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeAlias


class Markup(str):
    """A piece of HTML; any other string is text."""

    __slots__ = ()


Content: TypeAlias = "Markup | str | int | None"
Attribute: TypeAlias = "str | int | float | bool | None"

VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "col"})
BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
"""Marks that turn the direction of what follows, with which a name could rewrite its line."""


def text(content: object) -> Markup:
    """Any text as HTML: escaped, and without letters that cannot be seen but act."""
    return Markup(html.escape("".join(map(_visible, str(content))), quote=True))


def _visible(letter: str) -> str:
    if letter in "\n\t":
        return letter
    # A lone surrogate, which an argument of the command line can hold, cannot be written at all.
    if letter in BIDIRECTIONAL or unicodedata.category(letter) in ("Cc", "Cs"):
        return "\ufffd"
    return letter


def joined(parts: Iterable[Content], separator: str = "") -> Markup:
    """The parts one after another; None is nothing."""
    return Markup(text(separator).join(_content(part) for part in parts if part is not None))


def tag(name: str, /, *children: Content, **attributes: Attribute) -> Markup:
    """An element: ``tag("p", "1 < 2", class_="note")``.

    In the name of an attribute a trailing underscore is left out and others become hyphens. None
    and False leave the attribute out, True gives it without a value.
    """
    opened = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{opened}>")
    return Markup(f"<{name}{opened}>{joined(children)}</{name}>")


def _content(part: Content) -> str:
    return part if isinstance(part, Markup) else text(part)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    shown = f"{value:.6g}" if isinstance(value, float) else value
    return f' {name}="{text(shown)}"'


def table(
    caption: str, head: Sequence[Content], rows: Iterable[Iterable[Content]], words: int = 1
) -> Markup:
    """A table whose first column names its rows; wide ones scroll in a box of their own.

    words: how many columns, from the left, hold words; the others hold numbers.
    """
    drawn = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *(_cell(k, cell, "col", words) for k, cell in enumerate(head)))),
        tag("tbody", *(_row(row, words) for row in rows)),
        class_="facts" if words >= len(head) else None,
    )
    # A box that scrolls must be reachable by keyboard, and then needs a name.
    return tag("div", drawn, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _row(row: Iterable[Content], words: int) -> Markup:
    cells = (_cell(k, cell, None if k else "row", words) for k, cell in enumerate(row))
    return tag("tr", *cells)


def _cell(place: int, content: Content, scope: str | None, words: int) -> Markup:
    class_ = "words" if place < words else None
    return tag("th" if scope else "td", content, scope=scope, class_=class_)
