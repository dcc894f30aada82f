"""Print every measure of a run.

python -m scripts.analyse runs/RUN --json
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from analysis.blocks import BlockError, load_block
from analysis.statistics import summary

from . import products
from .command import add_runs, finish, parser, resolve


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "analyse",
        "Rates, intervals, reliability and precision of a run, or of any file that Neo reads.",
        "python -m scripts.analyse mainen_sejnowski-nest-0123456789 --json",
    )
    arguments.add_argument("run", help="a run's id or folder, or a file that Neo reads")
    add_runs(arguments)
    arguments.add_argument("--json", action="store_true", help="as JSON; what is undefined is null")
    options = arguments.parse_args(argv)
    block = load_block(resolve(options.run, options.runs))
    measures = {
        str(segment.name): plain(dataclasses.asdict(summary(segment))) for segment in block.segments
    }
    if options.json:
        head = {
            key: block.annotations.get(key)
            for key in ("run_id", "backend", "experiment", "digest", "timestep", "seed")
        }
        print(json.dumps({**head, "conditions": measures}, indent=2, allow_nan=False))
    else:
        print(products.table(block))
        for name, values in measures.items():
            print(f"\n{name}")
            for key, value in flat(values):
                print(f"  {key:<28} {value}")
    return 0


def plain(value: Any) -> Any:
    """Only what JSON has: NaN, which means undefined, becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(dotted name, text) of every number."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows.extend(flat(value, f"{prefix}{key}."))
        else:
            text = "undefined" if value is None else f"{value:.4g}"
            rows.append((f"{prefix}{key}", text if not isinstance(value, int) else str(value)))
    return rows


if __name__ == "__main__":
    finish(main, BlockError)
