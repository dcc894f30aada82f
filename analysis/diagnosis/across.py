"""What a condition with few spikes cannot tell by itself, told by the other conditions of the run.

A file's time axis is shifted in all conditions alike, and a run that was cut short ends at one time
in all of them: a single spike that is late or missing there needs no reason of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from analysis.diagnosis.bookkeeping import TIE, Books, moved, settled
from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.losses import cut_off
from analysis.diagnosis.wording import many, ms
from analysis.pairing import Pair


def agreed(pairs: Mapping[int, Pair], books: Mapping[int, Books]) -> dict[int, Books]:
    """The books of the conditions that what was found in others accounts for."""
    found: dict[int, Books] = {}
    shifts = [kept.shift for kept in books.values() if kept.shift]
    cuts = {name: _cut(books, name) for name in ("reference", "other run")}
    for k, kept in books.items():
        better = _shifted(kept, shifts) or _truncated(pairs[k], kept, cuts)
        if better is not None:
            found[k] = better
    return found


def _shifted(kept: Books, shifts: list[float]) -> Books | None:
    """Of one or two spikes: by the time that those of other conditions are shifted by."""
    if kept.findings or not shifts or np.ptp(shifts) > 1e-4 or not kept.other.times.size:
        return None
    shift = float(np.median(shifts))
    other = moved(kept.other, -shift)
    if not settled(kept.reference, other):
        return None
    n = other.times.size
    sentence = (
        f"{'The' if n == 1 else 'All'} {many(n, 'spike')} of the other run "
        f"{'is' if n == 1 else 'are'} {ms(abs(shift))} {'later' if shift > 0 else 'earlier'}, as "
        f"in other conditions. Move {'it' if n == 1 else 'them'} by {ms(-shift)}."
    )
    evidence = {"shift_ms": shift, "fraction": 1.0, "spikes": float(n)}
    finding = Finding(Cause.CONSTANT_SHIFT, sentence, evidence)
    return replace(kept, findings=(finding,), other=other, settled=True, shift=shift)


def _cut(books: Mapping[int, Books], lacking: str) -> float | None:
    """The last spike (ms) of a side whose recording ends early in some condition."""
    ends = [
        float(finding.evidence["t_cut"])
        for kept in books.values()
        for finding in kept.findings
        if finding.cause is Cause.TRUNCATED and finding.evidence.get("lacking") == lacking
    ]
    return max(ends, default=None)


def _truncated(pair: Pair, kept: Books, cuts: Mapping[str, float | None]) -> Books | None:
    """Last spikes missing after the time at which other conditions end, too."""
    if any(f.cause is not Cause.SPIKES_DROPPED for f in kept.findings) or len(kept.findings) > 1:
        return None
    sides = {"reference": pair.reference.spikes, "other run": pair.other.spikes}
    for lacking, having in (("other run", "reference"), ("reference", "other run")):
        end = cuts[lacking]
        if end is None or not sides[having].times.size:
            continue
        finding = cut_off(sides[having], sides[lacking], end, TIE, having, lacking)
        if finding is not None:
            part = sides[lacking]
            return replace(kept, findings=(finding,), reference=part, other=part, settled=True)
    return None
