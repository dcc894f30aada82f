"""What counts as the same spikes: policies, as data.

A policy says how far two runs may be apart. It is chosen by a person, or by the table of
`analysis.policy_defaults`, and written into the verdict; nothing ever widens it afterwards.

    exact                           every spike equal
    grid(steps)                     every spike there, at most `steps` timesteps away
    timing(window, fraction)        this fraction of spikes has a partner within `window` ms
    timing(window, fraction, growth)  the window grows by `growth` ms with each spike of a trial
    statistical(alpha, seeds)       no difference of the distributions at the level `alpha`
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from analysis.spikearrays import FloatArray, IntArray

EQUAL_WITHIN = 1e-9
"""Two spike times (ms) this close are equal: what units and file formats do to a double."""

ALLOWED = "exact, grid(steps), timing(window, fraction[, growth]), statistical(alpha[, seeds])"


class PolicyError(ValueError):
    """Not a policy; the message lists those there are."""


@dataclass(frozen=True)
class Policy:
    """Base of the policies; `str()` writes one and :meth:`parse` reads it back."""

    def __str__(self) -> str:
        arguments = [getattr(self, field.name) for field in fields(self)]
        defaults = [field.default for field in fields(self)]
        while arguments and arguments[-1] == defaults[-1]:
            arguments.pop(), defaults.pop()
        written = ", ".join(_number(value) for value in arguments)
        name = type(self).__name__.lower()
        return f"{name}({written})" if arguments else name

    @property
    def words(self) -> str:
        """What the policy demands, as a clause: "every spike equal"."""
        raise NotImplementedError

    @staticmethod
    def parse(text: str) -> Policy:
        """The policy that `text` names: "exact", "grid(1)", "timing(1, 0.95)", ...

        Arguments may be named: "timing(window=1, fraction=0.95, growth=0.1)".

        Raises PolicyError for anything else, with what there is.
        """
        found = re.fullmatch(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*", text, flags=re.DOTALL)
        if not found or found.group(1) not in KINDS:
            raise PolicyError(f"policy {text!r} is not known; there are {ALLOWED}")
        kind = KINDS[found.group(1)]
        positional, named = _arguments(text, found.group(2) or "")
        names = [field.name for field in fields(kind)]
        if len(positional) > len(names) or set(named) - set(names):
            raise PolicyError(f"policy {text!r} has arguments it cannot have; there are {ALLOWED}")
        given = dict(zip(names, positional, strict=False))
        if set(given) & set(named):
            raise PolicyError(f"policy {text!r} gives an argument twice")
        try:
            return kind(**{**given, **named})
        except TypeError:
            raise PolicyError(f"policy {text!r} lacks an argument; there are {ALLOWED}") from None


@dataclass(frozen=True)
class Exact(Policy):
    """Every spike there, at the same time (to 1e-9 ms, what file formats do to a number)."""

    __str__ = Policy.__str__

    @property
    def words(self) -> str:
        return "every spike equal"


@dataclass(frozen=True)
class Grid(Policy):
    """Every spike there, at most `steps` timesteps away."""

    steps: int

    __str__ = Policy.__str__

    def __post_init__(self) -> None:
        if not (float(self.steps).is_integer() and self.steps >= 0):
            raise PolicyError(f"steps is {self.steps!r}; it must be a whole number, 0 or more")
        object.__setattr__(self, "steps", int(self.steps))

    @property
    def words(self) -> str:
        if self.steps == 0:
            return "every spike on the same grid point"
        return f"every spike within {self.steps} timestep{'s' if self.steps > 1 else ''}"


@dataclass(frozen=True)
class Timing(Policy):
    """At least `fraction` of the spikes have a partner within `window` (ms).

    growth: ms by which the window grows with each further spike of a trial, so that spike number
    n may be window + (n - 1) growth away.
    """

    window: float
    fraction: float
    growth: float = 0.0

    __str__ = Policy.__str__

    def __post_init__(self) -> None:
        if not (math.isfinite(self.window) and self.window > 0):
            raise PolicyError(f"window is {self.window!r} ms; it must be a number above 0")
        if not 0 <= self.fraction <= 1:
            raise PolicyError(f"fraction is {self.fraction!r}; it must be from 0 to 1")
        if not (math.isfinite(self.growth) and self.growth >= 0):
            raise PolicyError(f"growth is {self.growth!r} ms a spike; it must be 0 or more")

    def allowed(self, ordinals: IntArray) -> FloatArray:
        """The window (ms) of spikes of these numbers within their trial (from 1)."""
        return np.asarray(self.window + self.growth * (ordinals - 1.0), dtype=np.float64)

    @property
    def words(self) -> str:
        window = f"{self.window:g} ms"
        if self.growth:
            window += f" (and {self.growth:g} ms more with each spike)"
        return f"{100 * self.fraction:g} % of the spikes within {window}"


@dataclass(frozen=True)
class Statistical(Policy):
    """No distribution differs at the level `alpha`, taken over all tests of the comparison.

    seeds: runs with different seeds that each side must have at least.
    """

    alpha: float
    seeds: int = 1

    __str__ = Policy.__str__

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise PolicyError(f"alpha is {self.alpha!r}; it must be between 0 and 1")
        if not (float(self.seeds).is_integer() and self.seeds >= 1):
            raise PolicyError(f"seeds is {self.seeds!r}; it must be a whole number, 1 or more")
        object.__setattr__(self, "seeds", int(self.seeds))

    @property
    def words(self) -> str:
        seeds = f", {self.seeds} seeds a side" if self.seeds > 1 else ""
        return f"the same distributions (error rate {self.alpha:g} over all tests{seeds})"


KINDS: Mapping[str, type[Policy]] = {
    "exact": Exact,
    "grid": Grid,
    "timing": Timing,
    "statistical": Statistical,
}
"""Name -> policy."""


def as_policy(policy: Policy | str) -> Policy:
    """A policy, or its text, as a policy. Raises PolicyError."""
    return Policy.parse(policy) if isinstance(policy, str) else policy


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _arguments(text: str, inside: str) -> tuple[list[float], dict[str, float]]:
    positional: list[float] = []
    named: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in inside.split(","))):
        name, equals, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise PolicyError(
                f"policy {text!r}: {value.strip()!r} is no number; there are {ALLOWED}"
            ) from None
        if equals:
            named[name.strip()] = number
        elif named:
            raise PolicyError(f"policy {text!r}: {part!r} comes after a named argument")
        else:
            positional.append(number)
    return positional, named
