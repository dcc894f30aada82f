"""Reading tables of plain values, strictly: every problem is found, named and explained at once.

A :class:`Reader` walks one table (a dict from TOML or JSON). It never stops at the first mistake:
a problem is noted with the key's full name, its value and what is allowed, and a stand-in value
is returned so that the reading goes on. The caller raises :class:`ExperimentError` at the end.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

REQUIRED = object()
"""Default of a key that has no default."""


class ExperimentError(ValueError):
    """The experiment is not valid; `problems` lists every reason."""

    def __init__(self, problems: Sequence[str], source: str = "") -> None:
        self.problems = list(problems)
        self.source = source
        head = "{} in {}".format(
            "1 problem" if len(self.problems) == 1 else "{} problems".format(len(self.problems)),
            source or "the experiment",
        )
        super().__init__("\n  ".join([head + ":"] + self.problems))


@dataclass(frozen=True)
class Quantity:
    """The numbers a key may hold: a unit and a range.

    `above` and `below` are exclusive bounds, `low` and `high` inclusive ones. `hint` says what
    usually went wrong when the range is left: mostly a value in another unit.
    """

    unit: str
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    hint: str = ""

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high and self.above < value < self.below

    def allowed(self) -> str:
        bounds = []
        if self.above > -math.inf:
            bounds.append("greater than {:g}".format(self.above))
        if self.low > -math.inf:
            bounds.append("at least {:g}".format(self.low))
        if self.below < math.inf:
            bounds.append("less than {:g}".format(self.below))
        if self.high < math.inf:
            bounds.append("at most {:g}".format(self.high))
        text = "a number" + (" in {}".format(self.unit) if self.unit else "")
        return text + (", " + " and ".join(bounds) if bounds else "")


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' for the known word nearest to `word`, or nothing."""
    candidates = list(known)
    found = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    if not found:
        lower = {c.lower(): c for c in candidates}
        found = [
            lower[m] for m in difflib.get_close_matches(word.lower(), list(lower), n=1, cutoff=0.6)
        ]
    return "; did you mean {}?".format(found[0]) if found else ""


def is_multiple(value: float, step: float) -> bool:
    """Whether `value` is a whole multiple of `step`, up to the rounding of decimal fractions."""
    ratio = value / step
    # A value that is not 0 but far below the step is no multiple, however near to 0 it is.
    return abs(ratio - round(ratio)) < 1e-6 and (value == 0 or round(ratio) != 0)


def show(value: Any) -> str:
    """A value as it stands in the file, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = '"{}"'.format(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Reader:
    """One table of the file, at `path` (the dotted name used in messages and by ``--set``)."""

    def __init__(self, data: Any, path: str, problems: List[str]) -> None:
        self.path = path
        self.problems = problems
        self._known: List[str] = []
        if isinstance(data, dict):
            self.data: Dict[str, Any] = data
        else:
            self.data = {}
            self.note(path, data, "must be a table")

    def name(self, key: str) -> str:
        return "{}.{}".format(self.path, key) if self.path else key

    def note(self, full_name: str, value: Any, why: str) -> None:
        self.problems.append("{} = {}: {}".format(full_name, show(value), why))

    def refuse(self, key: str, why: str) -> None:
        """Note a problem with the value of `key`."""
        self.note(self.name(key), self.data.get(key), why)

    def has(self, key: str) -> bool:
        """Whether the key is there; from now on it is a known one."""
        if key not in self._known:
            self._known.append(key)
        return key in self.data

    def raw(self, key: str, default: Any = REQUIRED, what: str = "") -> Any:
        """The value of `key` as it is; a missing one without a default is a problem."""
        if self.has(key):
            return self.data[key]
        if default is REQUIRED:
            self.problems.append(
                "{}: is missing{}".format(self.name(key), "; it must be " + what if what else "")
            )
            return None
        return default

    def number(self, key: str, quantity: Quantity, default: Any = REQUIRED) -> float:
        """A finite float within the quantity's range; NaN where there is a problem."""
        value = self.raw(key, default, quantity.allowed())
        if key not in self.data:
            return math.nan if value is None else float(value)
        return self.check_number(self.name(key), value, quantity)

    def check_number(self, full_name: str, value: Any, quantity: Quantity) -> float:
        """As :meth:`number`, for a value that was found elsewhere than under a key."""
        allowed = quantity.allowed()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            extra = ""
            if isinstance(value, str) and re.match(r"\s*[-+.\d]", value):
                extra = "; write the bare number, in {}".format(quantity.unit or "its unit")
            self.note(full_name, value, "must be {}{}".format(allowed, extra))
        elif not math.isfinite(value):
            self.note(full_name, value, "must be finite: {}".format(allowed))
        elif not quantity.holds(value):
            hint = "; {}".format(quantity.hint) if quantity.hint else ""
            self.note(full_name, value, "must be {}{}".format(allowed, hint))
        else:
            return float(value) + 0.0  # turns -0.0 into 0.0, which is the same current
        return math.nan

    def grid(self, key: str, step: float, default: Any = REQUIRED, low: float = 0.0) -> float:
        """A time in ms that is a multiple of `step` (ms), at least `low`."""
        value = self.number(key, Quantity("ms", low=low), default)
        if math.isfinite(value) and math.isfinite(step) and not is_multiple(value, step):
            self.refuse(key, "must be a whole multiple of the timestep, {:g} ms".format(step))
            return math.nan
        return value

    def integer(self, key: str, low: int, high: int, default: Any = REQUIRED) -> int:
        """A whole number from `low` to `high`; `low` where there is a problem."""
        allowed = "a whole number from {} to {}".format(low, high)
        value = self.raw(key, default, allowed)
        if value is None:
            return low
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(key, "must be {}".format(allowed))
            return low
        return value

    def boolean(self, key: str, default: Any = REQUIRED) -> bool:
        value = self.raw(key, default, "true or false")
        if value is not None and not isinstance(value, bool):
            self.refuse(key, "must be true or false")
        return value is True

    def text(self, key: str, default: Any = REQUIRED, pattern: str = "", allowed: str = "") -> str:
        """A string; where `pattern` is given it must match, and `allowed` says so in words."""
        value = self.raw(key, default, allowed or "a text")
        if value is None:
            return ""
        if not isinstance(value, str) or (
            key in self.data and pattern and not re.fullmatch(pattern, value)
        ):
            self.refuse(key, "must be {}".format(allowed or "a text"))
            return ""
        return value

    def choice(self, key: str, options: Sequence[str], default: Any = REQUIRED) -> str:
        allowed = "one of " + ", ".join(options)
        value = self.raw(key, default, allowed)
        if value is None:
            return ""
        if value not in options:
            close = nearest(value, options) if isinstance(value, str) else ""
            self.refuse(key, "must be {}{}".format(allowed, close))
            return ""
        return str(value)

    def table(self, key: str) -> Reader:
        """The table under `key`; an empty one if it is not there."""
        return Reader(self.data[key] if self.has(key) else {}, self.name(key), self.problems)

    def finish(self, also: Iterable[str] = ()) -> None:
        """Note every key that nothing asked for."""
        known = self._known + list(also)
        for key in self.data:
            if key not in known:
                self.problems.append(
                    "{} = {}: unknown key{}; allowed: {}".format(
                        self.name(key),
                        show(self.data[key]),
                        nearest(key, known),
                        ", ".join(sorted(known)),
                    )
                )


Default = Optional[Union[float, object]]
