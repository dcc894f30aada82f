"""The page around a report: one file that needs nothing else and is allowed to load nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from analysis.report.colours import variables
from analysis.report.markup import Content, Markup, tag

HERE = Path(__file__).resolve().parent


def page(
    title: str, lead: Sequence[Content], sections: Sequence[tuple[str, str, Content]], foot: str
) -> str:
    """A complete HTML document.

    lead: what stands under the title. sections: (id, heading, what is in it). foot: the last line.

    Only the style and the script that are in the file may act: the policy names them by their
    SHA-256 and forbids everything else, so no text from a run can, and no address is ever asked.
    """
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    links = [tag("li", tag("a", name, href=f"#{id_}")) for id_, name, _ in sections]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the verdict", href=f"#{sections[0][0]}", class_="skip"),
        tag("header", tag("h1", title), *lead),
        tag("nav", tag("ol", *links), aria_label="Contents"),
        tag("main", *(_section(*section) for section in sections)),
        tag("footer", tag("p", foot)),
        tag("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(id_: str, heading: str, content: Content) -> Markup:
    title = tag("h2", heading, id=f"{id_}-title")
    return tag("section", title, content, id=id_, aria_labelledby=f"{id_}-title")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@lru_cache(maxsize=1)
def _style() -> str:
    return "\n" + variables() + (HERE / "page.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _script() -> str:
    return "\n" + (HERE / "page.js").read_text(encoding="utf-8")
