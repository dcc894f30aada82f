"""Is it the same spikes? Compare runs with a reference: verdict, reason, report.

python -m scripts.compare --experiment mainen_sejnowski nest neuron brian2 --report report.html
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.blocks import BlockError
from analysis.words import listed, number, percent, signed

from .command import add_runs, add_service, finish, parser

if TYPE_CHECKING:
    from analysis.compare import Comparison
    from analysis.policies import Policy

    from .compare_inputs import Side


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments()
    options = arguments.parse_args(argv)
    _refuse_nonsense(arguments, options)
    policy = _policy(options.policies)
    pairs = [_pair(arguments, given) for given in options.maps]
    sides = _sides(options, policy)
    comparisons = _compared(sides, policy, pairs)
    if options.report:
        typed = list(sys.argv[1:] if argv is None else argv)
        _write_report(Path(options.report), sides, comparisons, typed)
    passed = all(comparison.passed for comparison in comparisons)
    if options.json:
        told = [comparison.to_dict() for comparison in comparisons]
        answer = {"passed": passed, "report": options.report, "comparisons": told}
        print(json.dumps(answer, indent=2, allow_nan=False))
    else:
        _print(comparisons)
        if options.report:
            print(f"\nreport:  {options.report}")
    return 0 if passed else 1


def _arguments() -> argparse.ArgumentParser:
    arguments = parser(
        "compare",
        "Compare runs with a reference, the first one named: the same spikes? If not, why not?\n"
        "Exit status: 0 every verdict passed, 1 one did not, 2 bad input.",
        "python -m scripts.compare --experiment mainen_sejnowski nest neuron brian2 "
        "--report report.html",
    )
    arguments.add_argument(
        "runs_or_backends",
        metavar="RUN",
        nargs="+",
        help="a run's id or folder, or a file that Neo reads; several with different seeds, joined "
        "by commas, count as one. With --experiment: a backend",
    )
    arguments.add_argument(
        "--experiment",
        metavar="NAME",
        help="run this experiment (a ready one's name or a TOML file) on the backends first; "
        "what was run before is not run again",
    )
    arguments.add_argument(
        "--set",
        dest="changes",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="with --experiment: change one value of it; may be given again",
    )
    arguments.add_argument(
        "--policy",
        dest="policies",
        metavar="[CONDITION=]POLICY",
        action="append",
        default=[],
        help="exact, grid(steps), timing(window, fraction[, growth]) or statistical(alpha[, "
        "seeds]), for all conditions or for one; may be given again (default: by backends, "
        "stimulus and timestep)",
    )
    arguments.add_argument(
        "--map",
        dest="maps",
        metavar="A=B",
        action="append",
        default=[],
        help="condition A of one run is condition B of the other; may be given again",
    )
    arguments.add_argument(
        "--trials",
        metavar="LIST[=LIST]",
        help="these trials only, from 1: 1-10,12; or the reference's against the others': "
        "1-10=11-20",
    )
    arguments.add_argument("--report", metavar="FILE", help="write a report, one HTML file")
    arguments.add_argument("--json", action="store_true", help="as JSON; what is undefined is null")
    add_runs(arguments)
    add_service(arguments)
    return arguments


def _refuse_nonsense(arguments: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if len(options.runs_or_backends) < 2:
        alone = options.runs_or_backends[0]
        arguments.error(
            f"only {alone} is named; at least two are compared"
            + ("" if options.experiment else f" (of one run: python -m scripts.report {alone})")
        )
    if options.changes and not options.experiment:
        arguments.error("--set changes an experiment; it needs --experiment")
    if options.report:
        folder = Path(options.report).parent
        if not folder.is_dir():
            arguments.error(f"--report {options.report}: there is no folder {folder}")
        if Path(options.report).is_dir():
            arguments.error(f"--report {options.report}: that is a folder, not a file")


# --- policies and names --------------------------------------------------------------------------


def _policy(given: Sequence[str]) -> Policy | dict[str, Policy] | None:
    """One policy for all conditions, or one for each condition that is named.

    Raises PolicyError; CompareError for both at once.
    """
    from analysis.pairing import CompareError
    from analysis.policies import Policy

    whole: Policy | None = None
    named: dict[str, Policy] = {}
    for text in given:
        # A policy's own "=" stands inside its brackets, and a policy has no space before it.
        found = re.fullmatch(r"(.+)=(\s*[a-z]+\s*(?:\(.*\))?\s*)", text, flags=re.DOTALL)
        if found and "(" not in found[1].rpartition(")")[2]:
            if found[1] in named:
                raise CompareError(f"--policy: condition {found[1]} is given two policies")
            named[found[1]] = Policy.parse(found[2])
        elif whole is not None:
            raise CompareError(
                f"--policy {text}: a policy for all conditions is given already ({whole}); for one "
                "condition write CONDITION=POLICY"
            )
        else:
            whole = Policy.parse(text)
    if whole is not None and named:
        raise CompareError(
            f"--policy: {whole} is for all conditions, but {', '.join(named)} has one of its own; "
            "name every condition, or none"
        )
    return whole or named or None


def _pair(arguments: argparse.ArgumentParser, given: str) -> tuple[str, str]:
    first, equals, second = given.partition("=")
    if not (equals and first.strip() and second.strip()):
        arguments.error(f"--map {given}: must be A=B, the names of two conditions")
    return first.strip(), second.strip()


# --- the work ------------------------------------------------------------------------------------


def _sides(options: argparse.Namespace, policy: Policy | dict[str, Policy] | None) -> list[Side]:
    from . import compare_inputs as inputs

    if options.experiment:
        sides = inputs.make(options.runs_or_backends, options, inputs.seeds_asked(policy))
        by_default = 1 if policy else inputs.seeds_by_default(sides)
        if by_default > 1:
            sides = inputs.make(options.runs_or_backends, options, by_default)
    else:
        sides = inputs.read(options.runs_or_backends, options.runs)
    return inputs.with_trials(sides, options.trials) if options.trials else sides


def _compared(
    sides: Sequence[Side],
    policy: Policy | dict[str, Policy] | None,
    pairs: Sequence[tuple[str, str]],
) -> list[Comparison]:
    """Every other side against the first, under the names that are told apart here."""
    from analysis.compare import compare

    from .compare_inputs import mapping_for

    reference, *others = sides
    mappings = mapping_for(pairs, reference, others)
    found = []
    for other, mapping in zip(others, mappings, strict=True):
        result = compare(reference.blocks, other.blocks, policy, mapping)
        first = replace(result.reference, label=reference.label)
        found.append(
            replace(result, reference=first, other=replace(result.other, label=other.label))
        )
    return found


def _write_report(
    path: Path, sides: Sequence[Side], comparisons: Sequence[Comparison], typed: Sequence[str]
) -> None:
    from analysis.pairing import CompareError
    from analysis.report import comparison_report
    from backends.runstore import write_text

    command = f"python -m scripts.compare {shlex.join(typed)}"
    text = comparison_report([side.source() for side in sides], comparisons, command)
    try:
        write_text(path, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CompareError(f"--report {path}: it cannot be written there ({reason})") from error


# --- telling -------------------------------------------------------------------------------------

HEAD = ("condition", "run", "verdict", "policy", "matched", "missing", "extra", "median (ms)",
        "largest (ms)", "Γ")  # fmt: skip
WORDS = 4
"""Columns that hold words."""


def _print(comparisons: Sequence[Comparison]) -> None:
    rows = [HEAD, *_rows(comparisons)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    for row in rows:
        cells = [
            cell.ljust(width) if k < WORDS else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print()
    for comparison in comparisons:
        print(comparison.verdict)
    names = _conditions(comparisons)
    alike = [name for name in names if _no_difference(comparisons, name)]
    if alike:
        print()
        _say(
            f"no difference in {listed(alike) if len(alike) < 6 else f'{len(alike)} conditions'}", 0
        )
    for name in names:
        if name in alike:
            continue
        print(f"\n{name}")
        for reason, labels in _reasons(comparisons, name).items():
            first, *more = reason.splitlines()
            _say(f"{listed(labels)}: {first}", 2)
            for line in more:
                _say(line, 4)


def _say(text: str, indent: int) -> None:
    """A line; on a terminal as many as it takes."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    before = " " * indent
    print(textwrap.fill(text, width, initial_indent=before, subsequent_indent=f"{before}  "))


def _conditions(comparisons: Sequence[Comparison]) -> list[str]:
    return list(dict.fromkeys(c.name for one in comparisons for c in one.conditions))


def _no_difference(comparisons: Sequence[Comparison], name: str) -> bool:
    """Whether all runs passed there and nothing was found."""
    every = [c for one in comparisons for c in one.conditions if c.name == name]
    found = any(c.diagnosis.findings or c.diagnosis.first for c in every)
    return all(c.passed for c in every) and not found


def _reasons(comparisons: Sequence[Comparison], name: str) -> dict[str, list[str]]:
    """Verdict and diagnosis of one condition -> the runs of which they are said."""
    reasons: dict[str, list[str]] = {}
    for one in comparisons:
        for c in one.conditions:
            if c.name == name:
                said = f"{'passed' if c.passed else 'FAILED'}: {c.verdict}\n{c.diagnosis.text()}"
                reasons.setdefault(said, []).append(one.other.label)
    return reasons


def _rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    rows = []
    for name in _conditions(comparisons):
        for one in comparisons:
            for c in one.conditions:
                if c.name == name:
                    verdict = "passed" if c.passed else "FAILED"
                    rows.append((
                        name, one.other.label, verdict, str(c.policy),
                        percent(c.matching.fraction_matched), number(len(c.matching.missing)),
                        number(len(c.matching.extra)), signed(c.measures.get("median_offset")),
                        number(c.measures.get("max_offset")),
                        number(c.measures.get("coincidence_factor")),
                    ))  # fmt: skip
    return rows


def refused() -> tuple[type[Exception], ...]:
    """Errors that mean that the input was at fault."""
    from analysis.pairing import CompareError
    from analysis.policies import PolicyError

    return BlockError, CompareError, PolicyError


if __name__ == "__main__":
    finish(main, *refused())
