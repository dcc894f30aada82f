"""Which backends a test is for: the marker, --backends, and what happens where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import pytest

import backends
from backends import BACKENDS, BackendError, BackendUnavailable

MARKER = "backends(name, ...): the backends a test is for; one that takes `backend` runs on each"


def known(names: Sequence[object], where: str) -> tuple[str, ...]:
    """The names, each once; ValueError, with the nearest name, if one is not a backend's.

    where: what to begin the message with.
    """
    if not names:
        raise ValueError(f"{where}: names no backend; there are: {', '.join(BACKENDS)}")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{where}: {name!r} is not the name of a backend, in quotes")
        if name not in BACKENDS:
            try:
                backends.get(name)  # which knows the platforms of the user's settings too
            except BackendError as error:
                raise ValueError(f"{where}: {error}") from None
    return tuple(dict.fromkeys(str(name) for name in names))


def restriction(config: pytest.Config) -> tuple[str, ...] | None:
    """The names of --backends; None where it was not given. UsageError for what is not one."""
    given = config.getoption("backends")
    if given is None:
        return None
    try:
        return known([name.strip() for name in given.split(",") if name.strip()], "--backends")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def marked(item: pytest.Item | pytest.Function) -> tuple[str, ...] | None:
    """The backends of the test's marker; None without one. CollectError where it is wrong."""
    marker = item.get_closest_marker("backends")
    if marker is None:
        return None
    where = f"{item.nodeid}: @pytest.mark.backends"
    try:
        if marker.kwargs:
            raise ValueError(f"{where}: takes names only, not {', '.join(marker.kwargs)}=")
        return known(marker.args, where)
    except ValueError as error:
        raise pytest.Collector.CollectError(str(error)) from None


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make a test of each marked backend, where the test takes `backend`."""
    names = marked(metafunc.definition)
    if names is not None and "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", names, indirect=True, scope="session")


def needed(item: pytest.Item) -> tuple[str, ...]:
    """The backends without which the test cannot run: its own one, or all that are marked."""
    names = marked(item) or ()
    callspec = getattr(item, "callspec", None)
    if names and callspec is not None and callspec.params.get("backend") in names:
        return (callspec.params["backend"],)
    return names


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, in place, the tests that need a backend which --backends does not name."""
    allowed = restriction(config)
    if allowed is None:
        return
    outside = [item for item in items if not set(needed(item)) <= set(allowed)]
    if outside:
        config.hook.pytest_deselected(items=outside)
        items[:] = [item for item in items if item not in set(outside)]


def require(config: pytest.Config, name: str) -> None:
    """Skip the test, or fail it with --require-backends, where the backend is not installed."""
    entry = BACKENDS.get(name)
    if entry is None or (backends.is_remote(name) and not config.getoption("live")):
        return  # a remote backend's recorded run needs nothing
    try:
        entry.system.require(name)
    except BackendUnavailable as error:
        missing(config, error)


def missing(config: pytest.Config, why: BackendUnavailable) -> NoReturn:
    """What a missing backend is: the end of the test, as a skip or as a failure."""
    if config.getoption("require_backends") or config.getini("require_backends"):
        pytest.fail(f"{why} (a missing backend is a failure: --require-backends)", pytrace=False)
    pytest.skip(str(why))
