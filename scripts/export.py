"""Write a run's Neo block in another format.

python -m scripts.export runs/RUN --format nix
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.blocks import FORMATS, BlockError, load_block, write_block

from .command import add_runs, finish, parser, resolve


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "export",
        "Write the Neo block of a run in a format that other programs read.",
        "python -m scripts.export mainen_sejnowski-nest-0123456789 --format nix",
    )
    arguments.add_argument("run", help="a run's id or folder, or a file that Neo reads")
    add_runs(arguments)
    arguments.add_argument("--format", required=True, choices=sorted(FORMATS), help="what to write")
    arguments.add_argument("--output", metavar="FILE", help="default: recording.FORMAT in the run")
    options = arguments.parse_args(argv)
    path = resolve(options.run, options.runs)
    folder = path if path.is_dir() else Path(path).parent
    output = Path(options.output or folder / f"recording.{options.format}")
    write_block(load_block(path), output, options.format)
    print(output)
    return 0


if __name__ == "__main__":
    finish(main, BlockError)
