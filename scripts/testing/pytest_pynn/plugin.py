"""The plugin itself: options, marker, hooks and fixtures.

    @pytest.mark.backends("neuron", "brian2")
    def test_same_spikes_as_nest(backend, run_on, assert_spiketrains_close):
        reference = run_on("nest", "mainen_sejnowski", trials=5)
        assert_spiketrains_close(reference, run_on(backend, "mainen_sejnowski", trials=5))

All fixtures live as long as the session, so that fixtures of any scope can use them. Runs are kept
in the folder that `runs_folder` gives; a project that wants another one has a fixture of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import selection
from .state import CURRENT, RECORDED

# What takes time to load is loaded by the fixtures, for the sessions that use them.
if TYPE_CHECKING:
    from analysis.compare import Comparison
    from analysis.measures import PotentialDifference

    from .checks import Checks
    from .runs import BackendRun
    from .session import Session


# --- options and hooks -----------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pynn", "experiments on backends")
    group.addoption(
        "--backends", metavar="NAMES", help="only these of the marked backends: nest,brian2"
    )
    why = "a missing backend is a failure, not a skip"
    group.addoption("--require-backends", action="store_true", help=why)
    group.addoption(
        "--live",
        action="store_true",
        help="run on remote backends (spinnaker, ebrains-demo) instead of replaying baselines",
    )
    group.addoption(
        "--record-baselines",
        action="store_true",
        help="write the baselines of the tests that run, instead of reading them",
    )
    group.addoption(
        "--comparisons",
        metavar="DIR",
        help="where failed comparisons are shown (default: comparisons/ beside --junitxml's or "
        "--html's file, else in pytest's cache)",
    )
    parser.addini("require_backends", why, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", selection.MARKER)
    selection.restriction(config)  # a wrong name is told before anything is collected


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    selection.parametrize(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.deselect(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    item.config.stash[CURRENT] = item
    return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in selection.needed(item):
        selection.require(item.config, name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    told = dict.fromkeys(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == RECORDED
    )
    if told:
        terminalreporter.section("baselines")
        for line in told:
            terminalreporter.line(line)


# --- fixtures --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the backend that this test is for, one of its marker's."""
    if not hasattr(request, "param"):
        pytest.fail(
            "a test that takes `backend` needs a marker that names them: "
            '@pytest.mark.backends("nest", "neuron")',
            pytrace=False,
        )
    return str(request.param)


@pytest.fixture(scope="session")
def runs_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs: in pytest's cache, or where there is none, the session's own.

    A run of the same experiment, code and versions in the cache is not made again; --cache-clear
    throws them away.
    """
    return _folder(pytestconfig, tmp_path_factory, "runs")


def _folder(config: pytest.Config, factory: pytest.TempPathFactory, name: str) -> Path:
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir(f"pynn_{name}"))
    return shared_folder(config, factory) / f"pynn_{name}"


def shared_folder(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """The session's temporary folder, the same one for all workers of pytest-xdist."""
    folder = factory.getbasetemp()
    return folder.parent if hasattr(config, "workerinput") else folder


@pytest.fixture(scope="session")
def _session(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, runs_folder: Path
) -> Session:
    from .session import Session

    return Session(
        pytestconfig, runs_folder, _folder(pytestconfig, tmp_path_factory, "comparisons")
    )


@pytest.fixture(scope="session")
def run_on(_session: Session) -> Callable[..., BackendRun]:
    """run_on(backend, experiment, **changes): the finished run, made once in a session.

    experiment: a ready experiment's name, the path of a TOML file (relative to the test's folder),
    or an Experiment. changes: values by dotted key, as --set takes them:
    ``run_on("nest", "stimuli", trials=3, **{"neuron.parameters.tau_m": 20.0})``.

    A remote backend's run comes from its baseline, unless --live. Where the backend is not
    installed the test is skipped, or fails with --require-backends.
    """
    return _session.run_on


@pytest.fixture(scope="session")
def baseline(_session: Session) -> Callable[..., BackendRun]:
    """baseline(backend, experiment, **changes): the run recorded in a file beside the test.

    The file is ``baselines/<the experiment's name>-<backend>.json``; the change ``name="..."``
    tells several variants of one experiment apart. With --record-baselines the run is made and
    written (of a remote backend with --live only). potentials: of how many trials a condition v is
    kept (default: none). A baseline that is missing, damaged or stale fails the test.
    """
    return _session.baseline


@pytest.fixture(scope="session")
def _checks(_session: Session) -> Checks:
    from .checks import Checks

    return Checks(_session.show)


@pytest.fixture(scope="session")
def assert_spiketrains_close(_checks: Checks) -> Callable[..., Comparison]:
    """assert_spiketrains_close(reference, other, policy=None, mapping=None): the same spikes.

    reference, other: runs from run_on or baseline, Neo blocks, paths of run folders or of files
    that Neo reads; or a list of them with different seeds. policy: "exact", "grid(1)",
    "timing(1, 0.95)", "statistical(0.01)", for all conditions or a table by the condition's name;
    None: the default for this pair of backends, stimulus and timestep. mapping: condition in
    reference -> condition in other, where names differ. Returns the Comparison.
    """
    return _checks.assert_spiketrains_close


@pytest.fixture(scope="session")
def assert_same_statistics(_checks: Checks) -> Callable[..., Comparison]:
    """assert_same_statistics(reference, other, alpha=0.01, mapping=None): the same distributions.

    Of rates, irregularity and correlations over trials, and over seeds where lists of runs are
    given. alpha: the probability of failing although nothing differs. Returns the Comparison.
    """
    return _checks.assert_same_statistics


@pytest.fixture(scope="session")
def assert_potentials_close(_checks: Checks) -> Callable[..., dict[str, PotentialDifference]]:
    """assert_potentials_close(reference, other, within=1e-6, measure="max", mapping=None).

    within: mV. measure: "max", "rms", or "rms_between" over all samples that both recorded.
    Returns the difference of each condition.
    """
    return _checks.assert_potentials_close
