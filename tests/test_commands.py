"""The commands, as a user types them: what they print, how they end, what they leave."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ["run", "raster", "analyse", "backends", "export", "experiments", "bench"]
SHORT = ["--set", "trials=4", "--set", "duration=200.0", "--set", "record.v=2"]


def call(name, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with one finished run, and that run's id."""
    folder = tmp_path_factory.mktemp("runs with a space")
    done = call("run", "nest", "mainen_sejnowski", *SHORT, "--runs", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # quiet in a pipe
    (run,) = (p.name for p in folder.iterdir() if not p.name.startswith("."))
    return folder, run, done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name):
    done = call(name, "--help")
    assert done.returncode == 0
    assert f"example:\n  python -m scripts.{name}" in done.stdout


def test_run_prints_a_table_and_where_everything_is(runs):
    folder, run, output = runs
    lines = output.splitlines()
    assert lines[0].split()[:2] == ["condition", "trains"]
    assert [line.split()[0] for line in lines[1:3]] == ["dc", "noise"]
    figure = folder / run / "figures" / "raster.png"
    assert f"figure:  {figure}" in lines
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert (folder / run / "recording.nix").is_file()


def test_the_printed_numbers_are_those_of_the_recording(runs):
    """Spike counts and rates, recomputed here from the arrays."""
    from pynn_model.recording import Recording

    folder, run, output = runs
    recording = Recording.load(str(folder / run / "recording.npz"))
    measures = json.loads(call("analyse", run, "--runs", folder, "--json").stdout)
    for line, population in zip(output.splitlines()[1:3], recording.populations, strict=True):
        n_spikes = len(population.spike_times)
        assert line.split()[2] == str(n_spikes)
        assert float(line.split()[3]) == pytest.approx(n_spikes / 4 / 0.2, abs=0.0501)
        assert measures["conditions"][population.name]["n_spikes"] == n_spikes


def test_a_run_is_served_again(runs):
    folder, _, _ = runs
    done = call("run", "nest", "mainen_sejnowski", *SHORT, "--runs", folder, "--no-figure")
    assert "done before" in done.stdout
    assert "figure:" not in done.stdout


def test_raster_draws_every_format(runs):
    folder, run, _ = runs
    done = call("raster", run, "--runs", folder)
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert {path.suffix for path in paths} == {".png", ".svg", ".pdf"}
    assert all(path.stat().st_size > 1000 for path in paths)


def test_export_is_read_by_neo(runs, tmp_path):
    import neo

    folder, run, _ = runs
    output = tmp_path / "out.nix"
    done = call("export", run, "--runs", folder, "--format", "nix", "--output", output)
    assert done.returncode == 0, done.stderr
    with neo.NixIO(str(output), "ro") as file:
        (block,) = file.read_all_blocks()
    assert [segment.name for segment in block.segments] == ["dc", "noise"]
    assert call("analyse", output).returncode == 0
    assert call("raster", output, "--format", "png").returncode == 0


def test_experiments_lists_the_ready_ones_and_shows_one():
    listed = call("experiments").stdout
    for name in ("mainen_sejnowski", "stimuli", "fi_curve", "noise_native", "balanced_network"):
        assert name in listed
    assert 'name = "stimuli"' in call("experiments", "stimuli").stdout


def test_backends_lists_versions_and_why_arbor_cannot():
    listed = call("backends").stdout
    for name in ("nest", "nest-precise", "neuron", "brian2"):
        assert f"{name}:" in listed
    assert "nest-simulator 3" in listed
    assert "no point neurons" in listed
    assert "impossible" in json.loads(call("backends", "--json").stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nset", "mainen_sejnowski"), "did you mean nest?"),
        (("run", "arbor", "mainen_sejnowski"), "no point neurons"),
        (("run", "nest", "mainen_sejnovski"), "did you mean mainen_sejnowski?"),
        (("run", "nest", "mainen_sejnowski", "--set", "seed"), "key=value"),
        (("run", "nest", "mainen_sejnowski", "--set", "seeds=3"), "did you mean seed?"),
        (("run", "nest", "mainen_sejnowski", "--set", "timestep=0.3"), "duration = 1000.0"),
        (("run", "nest", "mainen_sejnowski", "--threads", "0"), "at least 1"),
        (("run", "nest", "mainen_sejnowski", "--fres"), "--fres"),
        (("run", "brian2", "mainen_sejnowski", "--threads", "2"), "threads = 2"),
        (("run",), "backend"),
        (("raster", "no-such-run"), "no-such-run"),
        (("raster", "README.md"), "README.md"),
        (("raster", "no-such-run", "--format", "gif"), "gif"),
        (("analyse", "no-such-run"), "no-such-run"),
        (("export", "no-such-run", "--format", "nix"), "no-such-run"),
        (("export", "no-such-run", "--format", "xls"), "xls"),
        (("experiments", "nothing"), "nothing"),
        (("backends", "--jsn"), "--jsn"),
    ],
)
def test_bad_input_ends_with_2_and_names_it(arguments, words, tmp_path):
    name, *rest = arguments
    runs = ["--runs", tmp_path] if name in ("run", "raster", "analyse", "export") else []
    done = call(name, *rest, *runs)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_progress_is_drawn_on_a_terminal_and_taken_away(tmp_path):
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run", "nest", *SHORT, "--runs", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=side,
    )
    os.close(side)
    text = b""
    while True:
        try:
            text += os.read(main, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(main)
    assert process.wait() == 0
    assert b"mainen_sejnowski on nest: [" in text
    assert b"100%" in text
    assert text.endswith(b"\r\x1b[K")


def test_a_reader_that_has_gone_is_no_error_message(runs):
    folder, run, _ = runs
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.analyse", run, "--runs", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()
