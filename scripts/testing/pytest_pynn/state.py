"""What the hooks and the fixtures tell each other."""

from __future__ import annotations

import pytest

CURRENT = pytest.StashKey[pytest.Item]()
"""The test that is being run, for messages and relative paths."""

RECORDED = "pynn_baseline"
"""User property of a test's report for each baseline that it recorded."""

COMPARISON = "pynn_comparison"
"""User property for each file that a failed comparison left; junit's XML has them too."""
