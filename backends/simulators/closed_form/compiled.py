"""The compiler of this package's kernels."""

from __future__ import annotations

from pathlib import Path

from ..common.compiling import compiler

compiled = compiler(Path(__file__).parent)
