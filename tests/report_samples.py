"""Runs and reports that the tests of the report share, and a reader of HTML that is strict."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import neo
import numpy as np
import pytest
import quantities as pq
import sample_runs

from analysis.blocks import build_block
from analysis.compare import compare
from analysis.diagnosis import Cause, Diagnosis, DivergenceWindow, Finding, FirstDivergence
from analysis.report import Source, comparison_report, run_report

SHORT = ("trials=5", "duration=400.0")
COMMAND = "python -m scripts.compare here there --report 'a b.html'"
HOSTILE = "<script>alert(1)</script>\"'&<!--]]>\u202e\x00</title><img src=x onerror=alert(2)>"


def sample_block(name="reference"):
    return build_block(sample_runs.sample("mainen_sejnowski", *SHORT), f"{name}-run")


def moved(block, by=0.5):
    """The same run with every spike of the second half of a trial `by` ms later."""
    notes = {**block.annotations, "backend": "moved", "run_id": "moved"}
    copy = neo.Block(name="moved-run", **notes)
    for segment in block.segments:
        other = neo.Segment(name=segment.name, **segment.annotations)
        for train in segment.spiketrains:
            times = np.asarray(train.rescale("ms").magnitude)
            later = np.where(times > 200.0, np.minimum(times + by, 400.0), times)
            other.spiketrains.append(
                neo.SpikeTrain(later, units="ms", t_stop=400.0, **train.annotations)
            )
        other.analogsignals.extend(segment.analogsignals)
        copy.segments.append(other)
    return copy


def divergence(condition):
    """A diagnosis with everything a report can show of it."""
    t = np.arange(90.0, 110.0, 0.5)
    v = -60.0 + 0.3 * (t - 90.0)
    window = DivergenceWindow(t, v, v - 0.4, 0.16 + 0.01 * np.sin(t))
    first = FirstDivergence(
        condition, 2, 3, 104.2, 104.7, -53.0, -53.4, -53.0, 0.16, 0.4, "recorded", window
    )
    words = "The other run drifts by +0.08 ms with each spike."
    finding = Finding(Cause.DRIFT, words, {"slope": 0.08})
    return Diagnosis((finding,), first)


def compared(reference, other):
    """A comparison whose conditions all have a first divergence to draw."""
    found = compare(reference, other, "exact")
    conditions = tuple(replace(c, diagnosis=divergence(c.name)) for c in found.conditions)
    return replace(found, conditions=conditions, diagnosis=conditions[0].diagnosis)


@pytest.fixture(scope="session")
def pair():
    """(reference, other) as blocks."""
    reference = sample_block()
    return reference, moved(reference)


@pytest.fixture(scope="session")
def report(pair):
    """The report of the reference against itself and against the moved run."""
    reference, other = pair
    effective = {"dc": {"tau_m": 30.0, "cm": 0.25}, "noise": {"tau_m": 30.0, "cm": 0.25}}
    changed = {name: {**values, "tau_m": 30.3} for name, values in effective.items()}
    sources = [
        Source("reference", reference, {"host": "a"}, effective),
        Source("same", reference, {"host": "b"}, effective),
        Source("moved", other, {}, changed),
    ]
    return comparison_report(
        sources, [compare(reference, reference, "exact"), compared(reference, other)], COMMAND
    )


@pytest.fixture(scope="session")
def single(pair):
    return run_report(Source("reference", pair[0]), "python -m scripts.report RUN")


@pytest.fixture(scope="session")
def hostile():
    """The report of a file whose every name is an attack."""
    block = neo.Block(name=HOSTILE, backend=HOSTILE, run_id=HOSTILE, notes=HOSTILE)
    segment = neo.Segment(name=HOSTILE)
    for k in range(3):
        segment.spiketrains.append(
            neo.SpikeTrain([10.0 + k, 50.0, 90.0], units="ms", t_stop=100.0 * pq.ms)
        )
    block.segments.append(segment)
    effective = {HOSTILE: {HOSTILE: HOSTILE}}
    sources = [
        Source("ours", block, {HOSTILE: HOSTILE}, effective),
        Source(HOSTILE, block, {HOSTILE: HOSTILE}, effective),
    ]
    return comparison_report(sources, [compared(block, block)], f"compare '{HOSTILE}'")


VOID = {"meta", "link", "br", "hr", "img", "input", "col"}


class Element:
    """An element of a page: its name, attributes, children (elements and text), parent."""

    def __init__(self, name, attributes, parent):
        self.name, self.attributes, self.parent, self.children = name, attributes, parent, []

    def all(self, name=None):
        """Every element inside, this one included, in order; of this name."""
        found = [self] if name in (None, self.name) else []
        for child in self.children:
            if isinstance(child, Element):
                found.extend(child.all(name))
        return found

    def with_class(self, class_):
        return [e for e in self.all() if class_ in e.attributes.get("class", "").split()]

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)


class Page(HTMLParser):
    """The tree of a document in which every element must be closed in order."""

    def __init__(self, source):
        super().__init__()
        self.root = self._open = Element("", {}, None)
        self.feed(source)
        self.close()
        assert self._open is self.root, f"<{self._open.name}> is not closed"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        made = Element(tag, {name: value or "" for name, value in attributes}, self._open)
        self._open.children.append(made)
        if tag not in VOID:
            self._open = made

    def handle_endtag(self, tag):
        assert tag == self._open.name, f"</{tag}> closes <{self._open.name}>"
        self._open = self._open.parent

    def handle_data(self, data):
        self._open.children.append(data)

    def all(self, name=None):
        return self.root.all(name)

    def with_class(self, class_):
        return self.root.with_class(class_)

    def by_id(self, id_):
        (found,) = (e for e in self.all() if e.attributes.get("id") == id_)
        return found
