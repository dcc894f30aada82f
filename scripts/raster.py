"""Draw the figures of a run, or of any file that Neo reads.

python -m scripts.raster runs/RUN
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.blocks import BlockError, load_block

from . import products
from .command import add_runs, finish, parser, resolve

FORMATS = ("png", "svg", "pdf")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "raster",
        "Draw the figures of a run into its figures/ (of another file: beside it).",
        "python -m scripts.raster mainen_sejnowski-nest-0123456789 --format svg --format pdf",
    )
    arguments.add_argument("run", help="a run's id or folder, or a file that Neo reads")
    add_runs(arguments)
    arguments.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=FORMATS,
        help="may be given again (default: all three)",
    )
    options = arguments.parse_args(argv)
    path = resolve(options.run, options.runs)
    block = load_block(path)
    folder = path if path.is_dir() else Path(path).parent
    for drawn in products.draw(block, folder, options.formats or FORMATS):
        print(drawn)
    return 0


if __name__ == "__main__":
    finish(main, BlockError)
