"""The figures as files: their text can be read, and the same figure gives the same bytes."""

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import neo
import numpy as np
import pytest
import quantities as pq
import sample_runs
from figure_samples import (  # noqa: F401 - fixtures
    LEVELS,
    ROOT,
    SHORT,
    block,
    blocks,
    by_label,
    network_block,
    plain_block,
    recordings,
    renamed,
    words,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import figures, style
from analysis.blocks import build_block, load_block, write_block
from analysis.fi_curve import fi_figure
from analysis.isi import isi_figure
from analysis.raster import raster_figure

# --- text can be read ------------------------------------------------------------------------


def shown_texts(figure):
    """(words, box in pixels) of all text that is drawn."""
    canvas = FigureCanvasAgg(figure)
    with style.figure_style():
        canvas.draw()
        renderer = canvas.get_renderer()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low - slack <= tick.get_loc() <= high + slack:
                    hidden.update((tick.label1, tick.label2))
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]


def assert_readable(figure):
    width, height = figure.get_size_inches() * figure.dpi
    texts = shown_texts(figure)
    for content, box in texts:
        assert box.x0 >= 0 and box.y0 >= 0, content
        assert box.x1 <= width and box.y1 <= height, content
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 0.5 or b.y1 <= a.y0 + 0.5
        assert apart, (one, other)
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 6


@pytest.mark.parametrize("name", SHORT)
def test_text_of_the_ready_experiments_does_not_overlap(name, blocks):
    for draw in figures.figures_for(blocks[name]).values():
        assert_readable(draw())


def test_text_of_odd_blocks_does_not_overlap():
    for odd in (
        plain_block(),
        network_block({"excitatory": 800, "inhibitory": 200}, recorded=3),
        network_block({"a": 10_000}, spikes=2),
        network_block(dict.fromkeys("abcde", 7)),
        build_block(sample_runs.sample("mainen_sejnowski", "trials=1", "duration=5.0")),
        build_block(
            sample_runs.sample(
                "stimuli",
                "trials=2",
                "duration=20.0",
                "conditions.0.currents=[{kind='constant',amplitude=1e-6}]",
                "conditions.1.currents=[{kind='constant',amplitude=-80.0}]",
                "conditions.2.currents=[{kind='constant',amplitude=90.0}]",
            )
        ),
    ):
        for draw in figures.figures_for(odd).values():
            assert_readable(draw())


def test_long_and_odd_names_fit_and_mean_nothing(recordings):
    names = ["very long " * 6 + "name", "_$x_1$ & 日本"]
    made = build_block(
        renamed(
            recordings["mainen_sejnowski"],
            conditions=names,
            name="n" * 64,
            description="words " * 60,
        ),
        "a-long-run-id-" * 20,
    )
    for draw in (raster_figure, isi_figure):
        figure = draw(made)
        assert_readable(figure)
        assert "_$x_1$ & ??" in words(figure)
        assert "run a-long" in words(figure)
        assert not any(text.get_parse_math() for text in figure.texts)
    fi = renamed(
        sample_runs.sample("fi_curve", "trials=1", "duration=20.0", *LEVELS),
        conditions=[f"{k}" for k in range(32)],
    )
    made = build_block(fi)
    for segment in made.segments:
        segment.annotations["series"] = names[segment.annotations["series"] == "constant"]
    figure = fi_figure(made)
    assert_readable(figure)
    assert "_$x_1$" in figure.axes[0].get_legend().get_texts()[2].get_text() + names[1]


# --- files -----------------------------------------------------------------------------------


def test_nix_gives_the_same_picture_as_the_recording(recordings, tmp_path):
    block = build_block(recordings["stimuli"], "run")
    write_block(block, tmp_path / "a.nix", "nix")
    again = load_block(tmp_path / "a.nix")
    for number, made in enumerate((block, again)):
        figures.save_figure(raster_figure(made), tmp_path / str(number), ("png",))
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_files_are_the_same_bytes_in_every_process(recordings, tmp_path):
    recordings["mainen_sejnowski"].save(str(tmp_path / "recording.npz"))
    program = (
        "import sys\n"
        "from analysis import blocks, figures\n"
        "block = blocks.load_block(sys.argv[1])\n"
        "for name, draw in figures.figures_for(block).items():\n"
        "    figures.save_figure(draw(), f'{sys.argv[2]}-{name}')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / "recording.npz", tmp_path / seed],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "HOME": str(tmp_path)},
            check=True,
        )
    for name in ("raster", "isi"):
        for kind in figures.FORMATS:
            one, other = (tmp_path / f"{seed}-{name}.{kind}" for seed in "12")
            assert one.read_bytes() == other.read_bytes(), (name, kind)


def test_saving_twice_gives_the_same_bytes(block, tmp_path):
    figure = isi_figure(block)
    for name in "ab":
        paths = figures.save_figure(figure, tmp_path / name)
        assert paths == [tmp_path / f"{name}.{kind}" for kind in ("png", "svg", "pdf")]
    for kind in figures.FORMATS:
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_figure_file_is_complete_or_not_there(block, tmp_path, monkeypatch):
    figure = isi_figure(block)
    with pytest.raises(ValueError, match="'bmp' is not known; there are png, svg, pdf"):
        figures.save_figure(figure, tmp_path / "a", ("png", "bmp"))

    def broken(path, **options):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="disk full"):
        figures.save_figure(figure, tmp_path / "a", ("png",))
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_dots_keeps_them(block, tmp_path):
    assert figures.save_figure(isi_figure(block), tmp_path / "v1.2", ("png",)) == [
        tmp_path / "v1.2.png"
    ]


def test_settings_of_matplotlib_stay_as_they_were(block, tmp_path):
    with mpl.rc_context({"font.size": 31.0, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        figure = raster_figure(block)
        figures.save_figure(figure, tmp_path / "a", ("png",))
        assert dict(mpl.rcParams) == before
        assert figure.axes[0].get_facecolor() == to_rgba("white")
        assert figure.axes[0].yaxis.label.get_fontsize() == style.LABEL


def test_widths_of_text_are_those_drawn():
    figure = Figure(dpi=300)
    canvas = FigureCanvasAgg(figure)
    for content, size, bold in (
        ("mainen_sejnowski", 9.5, True),
        ("reliability 0.95 ± µ", 7.0, False),
    ):
        weight = "bold" if bold else "normal"
        text = figure.text(0, 0, content, fontsize=size, weight=weight, family="DejaVu Sans")
        drawn = text.get_window_extent(canvas.get_renderer()).width / figure.dpi
        assert style.text_width(content, size, bold) == pytest.approx(drawn, abs=0.03)


def test_shortened_text_keeps_both_ends():
    long = "first " + "middle " * 20 + "last"
    short = style.shortened(long, 1.0, 8.0)
    assert short.startswith("first")
    assert short.endswith("last")
    assert "…" in short
    assert style.text_width(short, 8.0) <= 1.0
    assert style.shortened("fits", 1.0, 8.0) == "fits"


def test_units_are_converted(block):
    other = neo.Block()
    segment = neo.Segment(name="s")
    other.segments.append(segment)
    segment.spiketrains.append(neo.SpikeTrain([0.1], units="s", t_stop=1 * pq.s))
    for name, values, units in (("v", [-0.07, -0.06], "V"), ("stimulus", [100.0, 200.0], "pA")):
        segment.analogsignals.append(
            neo.AnalogSignal(values, units=units, sampling_period=0.5 * pq.s, name=name)
        )
    figure = raster_figure(other)
    line = by_label(figure, "current (nA)")[0].get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.2, 0.2])
    np.testing.assert_allclose(line.get_xdata(), [0.0, 500.0, 1000.0])
    (heat,) = [image for axes in figure.axes for image in axes.images if axes.get_ylabel()]
    np.testing.assert_allclose(heat.get_array(), [[-70.0, -60.0]])
