"""Write the report of one run, one HTML file that needs nothing else.

python -m scripts.report RUN
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.blocks import BlockError

from .command import add_runs, finish, parser, resolve


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "report",
        "Write the figures, numbers and provenance of a run, or of any file that Neo reads, into\n"
        "one HTML file. Several runs against a reference: python -m scripts.compare.",
        "python -m scripts.report mainen_sejnowski-nest-0123456789",
    )
    arguments.add_argument("run", help="a run's id or folder, or a file that Neo reads")
    add_runs(arguments)
    arguments.add_argument(
        "--output",
        metavar="FILE",
        help="where to (default: report.html in the run's folder; of another file: beside it)",
    )
    options = arguments.parse_args(argv)
    path = resolve(options.run, options.runs)
    beside = path / "report.html" if path.is_dir() else path.with_name(f"{path.stem}-report.html")
    target = Path(options.output) if options.output else beside
    if target.is_dir() or not target.parent.is_dir():
        arguments.error(f"--output {target}: a file in a folder that exists is needed")
    # Only now what takes time to load.
    from analysis.report import run_report
    from backends.runstore import write_text

    from .compare_inputs import read

    (side,) = read([options.run], options.runs)
    typed = sys.argv[1:] if argv is None else argv
    write_text(target, run_report(side.source(), f"python -m scripts.report {shlex.join(typed)}"))
    print(target)
    return 0


def refused() -> tuple[type[Exception], ...]:
    """Errors that mean that the input was at fault."""
    return (BlockError,)


if __name__ == "__main__":
    finish(main, *refused())
