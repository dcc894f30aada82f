"""The pytest plugin: which backends a test is made for, and what a missing one is."""

import pytest
import pytest_pynn.session  # noqa: F401 - loaded here once, and not in each inner session

import backends
from backends import BackendEntry
from backends.local import LocalSystem

TESTS = """
    import pytest

    @pytest.mark.backends("nest", "brian2")
    def test_each(backend):
        assert backend in ("nest", "brian2")

    @pytest.mark.backends("nest", "brian2")
    def test_both():
        pass

    def test_neither():
        pass
"""


@pytest.fixture
def project(pytester):
    pytester.makeini("[pytest]\naddopts = -p pytest_pynn.plugin -p no:hypothesispytest")
    pytester.makepyfile(TESTS)
    return pytester


def collected(project, *options):
    result = project.runpytest_inprocess("--collect-only", "-q", *options)
    return [line.split("::")[1] for line in result.outlines if "::" in line]


def test_a_marked_test_is_made_once_for_each_backend(project):
    names = collected(project)
    assert names == ["test_each[nest]", "test_each[brian2]", "test_both", "test_neither"]
    project.runpytest_inprocess("-W", "error", "--strict-markers").assert_outcomes(passed=4)


def test_an_option_restricts_the_backends(project):
    assert collected(project, "--backends", "brian2") == ["test_each[brian2]", "test_neither"]
    assert len(collected(project, "--backends", "brian2, nest")) == 4
    result = project.runpytest_inprocess("--backends=nest")
    result.assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nest,brain2", "--backends: brain2: no such backend; did you mean brian2?"),
        ("arbor", "no point neurons"),
        (",", "--backends: names no backend; there are: nest, "),
    ],
)
def test_a_wrong_name_in_the_option_is_a_usage_error(project, given, words):
    result = project.runpytest_inprocess("--backends", given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('"nset"', "nset: no such backend; did you mean nest?"),
        ("", "names no backend; there are: nest, "),
        ('["nest"]', "['nest'] is not the name of a backend"),
        ('name="nest"', "takes names only, not name="),
    ],
)
@pytest.mark.parametrize("taken", ["", "backend"])
def test_a_wrong_marker_stops_the_collection_with_its_place(project, arguments, words, taken):
    project.makepyfile(
        f"import pytest\n@pytest.mark.backends({arguments})\ndef test_it({taken}): pass"
    )
    result = project.runpytest_inprocess()
    assert result.ret != 0
    assert words in result.stdout.str() + result.stderr.str()
    assert "::test_it: @pytest.mark.backends" in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str()


def test_a_test_without_a_marker_is_told_what_it_lacks(project):
    project.makepyfile("def test_it(backend): pass")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines('*needs a marker*@pytest.mark.backends("nest", "neuron")*')


def test_a_projects_own_fixture_of_that_name_stays_its_own(project):
    project.makeconftest("import pytest\n@pytest.fixture\ndef backend(): return 'mine'")
    project.makepyfile("def test_it(backend): assert backend == 'mine'")
    project.runpytest_inprocess().assert_outcomes(passed=1)


MISSING = """
    import pytest

    @pytest.mark.backends("gone", "nest")
    def test_each(backend):
        pass

    @pytest.mark.backends("gone", "nest")
    def test_both():
        pass

    def test_asked_for(run_on):
        run_on("gone", "stimuli")
"""


@pytest.fixture
def gone(project, monkeypatch):
    """A project that needs a backend which is not installed here."""
    system = LocalSystem("nest", ("no-such-simulator",), "requirements-simulators.txt")

    def make(store):
        return backends.LocalBackend("gone", system, store)

    entry = BackendEntry("gone", "not installed", make, system)
    monkeypatch.setitem(backends.BACKENDS, "gone", entry)
    project.makepyfile(MISSING)
    return project


REASON = "gone: no-such-simulator not installed; install with: pip install -r requirements-simul"


def test_a_missing_backend_is_a_skip_with_the_reason(gone):
    result = gone.runpytest_inprocess("-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(f"SKIPPED [[]3] *{REASON}*")


def test_a_missing_backend_can_be_a_failure(gone):
    for options in (["--require-backends"], ["-o", "require_backends=true"]):
        result = gone.runpytest_inprocess(*options)
        result.assert_outcomes(passed=1, failed=1, errors=2)
        assert REASON in result.stdout.str()


def test_what_is_not_asked_for_is_not_missed(gone):
    gone.runpytest_inprocess("--backends=nest", "--require-backends", "-k", "each").assert_outcomes(
        passed=1, deselected=3
    )
