"""What every test can have: the plugin that users enable in their own tests, and pytest's own."""

import pytest

pytest_plugins = ["pytest_pynn.plugin", "pytester"]


@pytest.fixture(scope="session")
def runs_folder(pytestconfig, tmp_path_factory):
    """Every session runs everything itself: a run in a cache could hide what changed since."""
    from pytest_pynn.plugin import shared_folder

    return shared_folder(pytestconfig, tmp_path_factory) / "pynn_runs"
