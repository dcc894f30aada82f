"""`compare` and `report`, as a user types them: what they print, how they end, what they leave."""

import importlib
import io
import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import neo
import numpy as np
import pytest
from report_samples import Page

from analysis.blocks import load_block, write_block
from scripts.command import finish

ROOT = Path(__file__).resolve().parent.parent
SHORT = ["--set", "trials=3", "--set", "duration=200.0", "--set", "record.v=1"]


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


def call(name, *arguments):
    """A command as it is typed, in this process: what it loads is loaded once."""
    module = importlib.import_module(f"scripts.{name}")
    with (
        redirect_stdout(io.StringIO()) as output,
        redirect_stderr(io.StringIO()) as errors,
        pytest.raises(SystemExit) as ended,
        chdir(ROOT),
    ):
        finish(lambda _: module.main([str(part) for part in arguments]), *module.refused())
    return Ended(ended.value.code, output.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(runs, report, the finished command) of an experiment on two backends."""
    folder = tmp_path_factory.mktemp("runs with a space")
    target = folder / "the report.html"
    done = call(
        "compare", "--experiment", "mainen_sejnowski", "nest-precise", "nest", *SHORT,
        "--runs", folder / "runs", "--policy", "timing(1, 0.6)", "--report", target,
    )  # fmt: skip
    return folder / "runs", target, done


@pytest.fixture(scope="module")
def ids(made):
    """Backend -> the run's id."""
    names = sorted(p.name for p in made[0].iterdir() if not p.name.startswith("."))
    precise, plain = sorted(names, key=lambda name: "precise" not in name)
    return {"nest-precise": precise, "nest": plain}


@pytest.fixture(scope="module")
def renamed(made, ids, tmp_path_factory):
    """The nest run as a colleague's file: other names of the conditions, nothing else known."""
    block, file = neo.Block(), tmp_path_factory.mktemp("colleague") / "theirs.nix"
    for segment in load_block(made[0] / ids["nest"]).segments:
        other = neo.Segment(name=f"my {segment.name}")
        for train in segment.spiketrains:
            other.spiketrains.append(neo.SpikeTrain(train.magnitude, units="ms", t_stop=200.0))
        block.segments.append(other)
    write_block(block, file, "nix")
    return file


def test_an_experiment_is_run_and_compared(made, ids):
    _, target, done = made
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # quiet in a pipe
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["condition", "run", "verdict", "policy"]
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["dc", "nest", "passed"],
        ["noise", "nest", "passed"],
    ]
    assert any(line.startswith("PASSED: nest against nest-precise") for line in lines)
    assert lines[-1] == f"report:  {target}"
    assert set(ids) == {"nest-precise", "nest"}


def test_the_report_tells_of_both_runs_and_how_to_make_it_again(made, ids):
    runs, target, _ = made
    page = Page(target.read_text(encoding="utf-8"))
    assert page.all("h1")[0].text == "mainen_sejnowski: nest against nest-precise"
    command = page.by_id("again").all("code")[0].text
    assert shlex.split(command)[:4] == ["python", "-m", "scripts.compare", "--experiment"]
    assert shlex.split(command)[-1] == str(target)
    words = page.by_id("provenance").text
    for run in ids.values():
        provenance = json.loads((runs / run / "provenance.json").read_text(encoding="utf-8"))
        assert run in words
        assert provenance["host"]["platform"] in words
        assert provenance["start"][:10] in words
    assert "tau_m (dc and noise)30.030.0" in words


def test_runs_are_served_and_the_first_is_the_reference(made, ids):
    runs, _, _ = made
    before = (runs / ids["nest"] / "provenance.json").stat().st_mtime_ns
    done = call(
        "compare", "--experiment", "mainen_sejnowski", "nest", "nest-precise", *SHORT,
        "--runs", runs, "--policy", "timing(1, 0.6)", "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (done.returncode, told["passed"], told["report"]) == (0, True, None)
    (one,) = told["comparisons"]
    assert (one["reference"]["backend"], one["other"]["backend"]) == ("nest", "nest-precise")
    assert (runs / ids["nest"] / "provenance.json").stat().st_mtime_ns == before


def test_a_failed_verdict_is_status_1_and_says_why(made, ids):
    runs, _, _ = made
    done = call("compare", *ids.values(), "--runs", runs, "--policy", "exact")
    assert done.returncode == 1
    assert done.stderr == ""
    assert (
        "FAILED: nest against nest-precise: 2 of 2 conditions (dc, noise) by exact" in done.stdout
    )
    assert "First difference: " in done.stdout


def test_a_run_equals_itself_by_the_strictest_policy(made, ids):
    runs, _, _ = made
    run = ids["nest"]
    done = call("compare", run, runs / run, run, "--runs", runs, "--policy", "exact")
    assert done.returncode == 0, done.stdout
    # Their backends do not tell them apart, their names do not either: numbers do.
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:3]] == [
        [run, "(2)"],
        [run, "(3)"],
    ]


def test_numbers_are_those_of_the_files(made, ids):
    """Spikes and offsets, taken from the files by hand: spike k is spike k in so short a trial."""
    runs, _, _ = made
    done = call("compare", *ids.values(), "--runs", runs, "--policy", "exact", "--json")
    conditions = json.loads(done.stdout)["comparisons"][0]["conditions"]
    blocks = [load_block(runs / run) for run in ids.values()]
    for k, condition in enumerate(conditions):
        times = [
            [np.asarray(train.magnitude) for train in block.segments[k].spiketrains]
            for block in blocks
        ]
        assert condition["spikes"] == [sum(map(len, side)) for side in times]
        offsets = np.concatenate([b - a for a, b in zip(*times, strict=True)])
        offsets = offsets[np.abs(offsets) <= 2.0]  # what is further away is no pair
        assert condition["measures"]["median_offset"] == pytest.approx(np.median(offsets))
        assert condition["measures"]["max_offset"] == pytest.approx(np.abs(offsets).max())


@pytest.mark.parametrize("order", ["{theirs}={ours}", "{ours}={theirs}"])
def test_names_are_mapped_whichever_stands_first(made, ids, renamed, order):
    runs, _, _ = made
    maps = [order.format(theirs=f"my {name}", ours=name) for name in ("dc", "noise")]
    options = [part for pair in maps for part in ("--map", pair)]
    done = call("compare", ids["nest"], renamed, "--runs", runs, "--policy", "exact", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "theirs.nix" in done.stdout


def test_a_map_that_leaves_a_condition_out_fails_and_names_it(made, ids, renamed):
    runs, _, _ = made
    done = call(
        "compare", ids["nest"], renamed, "--runs", runs, "--policy", "exact", "--map", "my dc=dc"
    )
    assert done.returncode == 1
    assert "without condition noise" in done.stdout


def test_some_trials_against_others(made, ids):
    runs, _, _ = made
    same = call(
        "compare", ids["nest"], ids["nest"], "--runs", runs, "--policy", "exact", "--trials", "2-3"
    )
    assert same.returncode == 0, same.stderr
    turned = call(
        "compare", ids["nest"], ids["nest"], "--runs", runs, "--policy", "exact",
        "--trials", "1,2=2,1", "--json",
    )  # fmt: skip
    assert turned.returncode == 1
    (one,) = json.loads(turned.stdout)["comparisons"]
    assert "permuted_neurons" in [f["cause"] for f in one["diagnosis"]["findings"]]


def test_a_policy_for_one_condition(made, ids):
    runs, _, _ = made
    done = call(
        "compare", *ids.values(), "--runs", runs, "--policy", "dc=timing(window=1, fraction=0.5)",
        "--policy", "noise=exact", "--json",
    )  # fmt: skip
    found = {c["name"]: c for c in json.loads(done.stdout)["comparisons"][0]["conditions"]}
    assert found["dc"]["policy"] == "timing(1, 0.5)"
    assert (found["dc"]["passed"], found["noise"]["passed"]) == (True, False)


def test_a_statistical_policy_runs_its_seeds(tmp_path):
    done = call(
        "compare", "--experiment", "mainen_sejnowski", "nest", "nest-precise", *SHORT,
        "--runs", tmp_path, "--policy", "statistical(0.01, 2)", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["comparisons"]
    assert one["reference"]["seeds"] == one["other"]["seeds"] == [1995, 1996]
    assert len([p for p in tmp_path.iterdir() if not p.name.startswith(".")]) == 4
    runs = [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")]
    sides = [
        ",".join(r for r in sorted(runs) if ("precise" in r) == precise)
        for precise in (False, True)
    ]
    again = call(
        "compare", *sides, "--runs", tmp_path, "--policy", "statistical(0.01, 2)", "--json"
    )
    assert json.loads(again.stdout)["comparisons"][0]["conditions"] == one["conditions"]


def test_progress_is_drawn_on_a_terminal_and_taken_away(tmp_path):
    main, side = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "scripts.compare", "--experiment", "mainen_sejnowski", "nest",
            "nest-precise", *SHORT, "--runs", str(tmp_path), "--policy", "timing(1, 0.5)",
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=side,
    )  # fmt: skip
    os.close(side)
    text = b""
    while True:
        try:
            text += os.read(main, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(main)
    assert process.wait() == 0
    assert b"mainen_sejnowski on nest, seed 1995: [" in text
    assert b"mainen_sejnowski on nest-precise, seed 1995: [" in text
    assert text.endswith(b"\r\x1b[K")


# --- the report of one run -----------------------------------------------------------------------


def test_the_report_of_one_run(made, ids, tmp_path):
    runs, _, _ = made
    done = call("report", ids["nest"], "--runs", runs)
    target = runs / ids["nest"] / "report.html"
    assert (done.returncode, done.stdout) == (0, f"{target}\n")
    page = Page(target.read_text(encoding="utf-8"))
    assert page.all("h1")[0].text == "mainen_sejnowski on nest"
    block = load_block(runs / ids["nest"])
    rows = [[cell.text for cell in row.children] for row in page.all("table")[0].all("tr")]
    for row, segment in zip(rows[1:], block.segments, strict=True):
        assert row[:3] == [segment.name, "3", str(sum(map(len, segment.spiketrains)))]


def test_the_report_of_a_file_stands_beside_it(renamed):
    done = call("report", renamed)
    target = renamed.with_name("theirs-report.html")
    assert (done.returncode, done.stdout) == (0, f"{target}\n")
    assert Page(target.read_text(encoding="utf-8")).all("h1")[0].text.endswith("on theirs.nix")


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare",), "RUN"),
        (("compare", "RUN"), "at least two"),
        (("compare", "RUN"), "python -m scripts.report"),
        (("compare", "RUN", "nothing"), "nothing: no such run"),
        (("compare", "RUN", "README.md"), "README.md"),
        (("compare", "RUN", ","), ",: no such run"),
        (("compare", "RUN", "RUN,nothing"), "nothing: no such run"),
        (("compare", "RUN", "RUN", "--policy", "near"), "exact, grid(steps)"),
        (("compare", "RUN", "RUN", "--policy", "grid(-1)"), "steps"),
        (("compare", "RUN", "RUN", "--policy", "DC=exact"), "dc, noise"),
        (("compare", "RUN", "RUN", "--policy", "dc=exact", "--policy", "dc=exact"), "two policies"),
        (("compare", "RUN", "RUN", "--policy", "exact", "--policy", "exact"), "given already"),
        (("compare", "RUN", "RUN", "--map", "dc"), "A=B"),
        (("compare", "RUN", "RUN", "--map", "DC=noise"), "has dc, noise"),
        (("compare", "RUN", "RUN", "--trials", "0"), "numbers from 1"),
        (("compare", "RUN", "RUN", "--trials", "2-1"), "numbers from 1"),
        (("compare", "RUN", "RUN", "--trials", "1-9"), "has trials 1 to 3, not 9"),
        (("compare", "RUN", "RUN", "--trials", "1,1"), "trial 1 is wanted twice"),
        (("compare", "RUN", "RUN", "--trials", "1-2=1"), "equally many"),
        (
            ("compare", "RUN", "RUN", "--report", "no/such/folder/r.html"),
            "no folder no/such/folder",
        ),
        (("compare", "RUN", "RUN", "--report", "docs"), "that is a folder"),
        (("compare", "RUN", "RUN", "--set", "trials=2"), "--experiment"),
        (("compare", "--experiment", "mainen_sejnowski", "nest"), "at least two"),
        (("compare", "--experiment", "mainen_sejnowski", "nest", "nest"), "named twice"),
        (("compare", "--experiment", "mainen_sejnowski", "nest", "nset"), "did you mean nest?"),
        (("compare", "--experiment", "mainen_sejnovski", "nest", "neuron"), "did you mean"),
        (
            ("compare", "--experiment", "mainen_sejnowski", "nest", "neuron", "--set", "seeds=3"),
            "did you mean seed?",
        ),
        (("report", "nothing"), "nothing: no such run"),
        (("report", "RUN", "--output", "no/such/folder/r.html"), "--output"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_there_is(made, ids, arguments, words, tmp_path):
    runs, _, _ = made
    shutil.copytree(runs / ids["nest"], tmp_path / ids["nest"])
    name, *rest = (part.replace("RUN", ids["nest"]) for part in arguments)
    done = call(name, *rest, "--runs", tmp_path)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == [ids["nest"]]


@pytest.mark.parametrize("name", ["compare", "report"])
def test_help_shows_an_example(name):
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"example:\n  python -m scripts.{name}" in done.stdout
    assert done.stderr == ""
