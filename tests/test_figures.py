"""The figures: what they show is what the block holds, and their text can be read."""

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import neo
import numpy as np
import pytest
import quantities as pq
import sample_runs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import figures, isi, style, theory
from analysis.blocks import build_block, load_block, signal, write_block
from analysis.fi_curve import fi_figure
from analysis.isi import isi_figure
from analysis.raster import MAX_COLUMNS, raster_figure
from analysis.reliability import event_reliability
from analysis.statistics import cv, mean_firing_rates, psth
from pynn_model import files
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording

LEVELS = tuple(
    f"conditions.{k}.sweep={{key='currents.0.amplitude',start=0.1,stop=0.4,num=16}}" for k in (0, 1)
)
ROOT = Path(__file__).resolve().parent.parent
SHORT = {
    "mainen_sejnowski": ("trials=8",),
    "stimuli": (),
    "noise_native": ("trials=6",),
    "fi_curve": ("trials=3", "duration=300.0", *LEVELS),
}


@pytest.fixture(scope="module")
def recordings():
    return {name: sample_runs.sample(name, *changes) for name, changes in SHORT.items()}


@pytest.fixture(scope="module")
def blocks(recordings):
    return {name: build_block(found, f"{name}-run") for name, found in recordings.items()}


@pytest.fixture(scope="module")
def block(blocks):
    return blocks["mainen_sejnowski"]


def renamed(recording, **changes):
    """The recording of the same experiment under other names."""
    data = Experiment.from_json(recording.experiment).to_dict()
    for condition, name in zip(data["conditions"], changes.pop("conditions"), strict=True):
        condition["name"] = name
    experiment = Experiment.from_dict({**data, **changes})
    populations = tuple(
        replace(population, name=condition.name)
        for population, condition in zip(recording.populations, experiment.conditions, strict=True)
    )
    return Recording(experiment.to_json(), experiment.digest, "nest", populations, {})


def network_block(sizes, recorded=0, spikes=5):
    experiment = files.load("balanced_network")
    rng = np.random.default_rng(5)
    populations = []
    for name, size in sizes.items():
        indices = np.repeat(np.arange(size), spikes)
        times = np.sort(rng.integers(1, 10_000, (size, spikes)) / 10, axis=1).ravel()
        v = rng.uniform(-65, -50, (2000, recorded)) if recorded else np.zeros((0, 0))
        populations.append(
            PopulationRecording(name, size, times, indices, v, np.arange(recorded), 0.5)
        )
    recording = Recording(experiment.to_json(), experiment.digest, "nest", tuple(populations), {})
    return build_block(recording, "network-run")


def plain_block():
    """What another program gives: seconds, no names, no annotations, trains of unlike length."""
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    for stop in (1.0, 1.0, 2.0):
        segment.spiketrains.append(neo.SpikeTrain([0.25, 0.5], units="s", t_stop=stop))
    return block


def by_label(figure, label):
    """The axes of a row from left to right: those at the height of the one with this y label."""
    first = next(axes for axes in figure.axes if axes.get_ylabel() == label)
    row = [a for a in figure.axes if abs(a.get_position().y0 - first.get_position().y0) < 1e-6]
    return sorted(row, key=lambda axes: axes.get_position().x0)


def words(figure):
    return "\n".join(text.get_text() for text in figure.texts)


# --- the raster shows what the block holds ---------------------------------------------------


def test_every_condition_has_a_column_of_four_rows_and_one_colour_bar(block):
    figure = raster_figure(block)
    assert len(figure.axes) == 2 * 4 + 1
    columns = {round(axes.get_position().x0, 6) for axes in figure.axes}
    assert len(columns) == 3
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert sorted(labels) == ["PSTH (Hz)", "current (nA)", "trial", "trial"]
    assert figure.axes[-1].get_title(loc="left") == "v (mV)"
    assert [axes.get_xlabel() for axes in figure.axes].count("time (ms)") == 2
    assert {axes.get_xlim() for axes in figure.axes[:8]} == {(0.0, 1000.0)}


def test_ticks_are_the_spikes_with_trial_1_at_the_bottom(recordings, block):
    figure = raster_figure(block)
    for axes, population in zip(
        by_label(figure, "trial")[:2], recordings["mainen_sejnowski"].populations, strict=True
    ):
        (ticks,) = axes.get_lines()
        np.testing.assert_array_equal(ticks.get_xdata(), population.spike_times)
        np.testing.assert_array_equal(ticks.get_ydata(), population.spike_indices + 1)
        assert ticks.get_marker() == "|"
        assert axes.get_ylim() == (0.5, 8.5)
        assert axes.get_position().y0 > by_label(figure, "PSTH (Hz)")[0].get_position().y0


def test_current_psth_and_potentials_are_those_of_the_block(block):
    figure = raster_figure(block, bin_size=20.0)
    for number, segment in enumerate(block.segments):
        total, shared = by_label(figure, "current (nA)")[number].get_lines()
        assert {total.get_drawstyle(), shared.get_drawstyle()} == {"steps-post"}
        current = signal(segment, "stimulus").magnitude[:, 0]
        at = np.searchsorted(shared.get_xdata(), np.arange(10_000) * 0.1 + 0.05, "right") - 1
        np.testing.assert_array_equal(shared.get_ydata()[at], current)
        first = current + signal(segment, "private_current").magnitude[:, 0]
        at = np.searchsorted(total.get_xdata(), np.arange(10_000) * 0.1 + 0.05, "right") - 1
        np.testing.assert_array_equal(total.get_ydata()[at], first)

        stairs = by_label(figure, "PSTH (Hz)")[number].patches[0].get_data()
        expected = psth(segment, 20.0)
        np.testing.assert_array_equal(stairs.values, expected.rate)
        np.testing.assert_array_equal(stairs.edges, expected.edges)

        heat = figure.axes[3 + 4 * number].images[0]
        v = signal(segment, "v").magnitude.T
        assert heat.get_extent() == [0.0, 1000.0, 0.5, 8.5]
        assert heat.origin == "lower"
        assert heat.get_array().shape == (8, 1500)  # more samples than can be seen: averaged
        np.testing.assert_allclose(heat.get_array().mean(axis=1), v.mean(axis=1), atol=0.05)
    low, high = figure.axes[3].images[0].get_clim()
    assert -70.5 < low < high < -52.5
    assert figure.axes[7].images[0].get_clim() == (low, high)


def test_short_potentials_are_shown_sample_by_sample():
    made = build_block(sample_runs.sample("stimuli", "trials=2", "record.v_interval=2.0"))
    for number, segment in enumerate(made.segments):
        heat = raster_figure(made).axes[3 + 4 * number].images[0]
        np.testing.assert_array_equal(heat.get_array(), signal(segment, "v").magnitude.T)


def test_events_are_shaded_and_their_numbers_printed(block):
    figure = raster_figure(block)
    trials, rates = by_label(figure, "trial")[1], by_label(figure, "PSTH (Hz)")[1]
    found = event_reliability(block.segments[1])
    assert len(found.events) > 5
    for axes in (trials, rates):
        (bars,) = axes.collections
        spans = np.array(
            [[p.vertices[:, 0].min(), p.vertices[:, 0].max()] for p in bars.get_paths()]
        )
        np.testing.assert_allclose(spans, np.c_[found.events.start, found.events.stop])
        assert to_rgba(bars.get_facecolor()[0])[:3] == to_rgba(style.ORANGE)[:3]
    for name, value, unit in (
        ("reliability", found.reliability, ""),
        ("precision", found.precision, " ms"),
    ):
        text = f"{name} {value.value:.2f}{unit} [{value.low:.2f}, {value.high:.2f}]"
        assert text in words(figure)


def test_precision_without_events_is_never_a_number(recordings):
    recording = recordings["stimuli"]
    rng = np.random.default_rng(3)
    independent = replace(
        recording.populations[0],
        spike_times=np.sort(rng.uniform(0, 1000, (5, 14)), axis=1).ravel(),
        spike_indices=np.repeat(np.arange(5), 14),
    )
    made = build_block(replace(recording, populations=(independent,)))
    assert len(event_reliability(made.segments[0]).events) == 0
    text = words(raster_figure(made))
    assert "reliability 0.00" in text
    assert "no events: precision undefined" in text
    assert " ms [" not in text
    one = build_block(sample_runs.sample("mainen_sejnowski", "trials=1"))
    assert "one trial: reliability undefined" in words(raster_figure(one))


def test_footer_says_how_the_data_were_made(block):
    text = words(raster_figure(block))
    digest = block.annotations["digest"][:12]
    for part in ("reference", "dt 0.1 ms", "seed 1995", "mainen_sejnowski-run", digest):
        assert part in text
    assert "mainen_sejnowski" in text.splitlines()[0]


def test_fewer_potentials_than_trials_are_marked():
    made = build_block(sample_runs.sample("mainen_sejnowski", "trials=6", "record.v=2"))
    figure = raster_figure(made)
    assert "Potentials: 2 of 6 trials." in words(figure)
    assert figure.axes[3].images[0].get_array().shape[0] == 2
    without = build_block(sample_runs.sample("mainen_sejnowski", "trials=6", "record.v=0"))
    assert len(raster_figure(without).axes) == 2 * 3


def test_noise_of_the_simulators_own_is_drawn_as_mean_and_sd(blocks):
    axes = by_label(raster_figure(blocks["noise_native"]), "current (nA)")[0]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.065)
    assert band[:, 1].max() == pytest.approx(0.265)


def test_populations_of_a_network_are_neurons_not_trials():
    figure = raster_figure(network_block({"excitatory": 80, "inhibitory": 20}, recorded=4))
    neurons = by_label(figure, "neuron")
    assert [axes.get_ylim() for axes in neurons] == [(0.5, 80.5), (0.5, 20.5)]
    assert "reliability" not in words(figure)
    assert "mean CV of intervals" in words(figure)
    assert "Potentials: 4 of 80 and 4 of 20 neurons." in words(figure)


def test_many_spikes_become_pixels_in_vector_files():
    few = raster_figure(network_block({"a": 100}))
    many = raster_figure(network_block({"a": 5000}, spikes=40))
    assert not by_label(few, "neuron")[0].get_lines()[0].get_rasterized()
    (ticks,) = by_label(many, "neuron")[0].get_lines()
    assert ticks.get_rasterized()
    assert ticks.get_alpha() < 1
    assert len(ticks.get_xdata()) == 200_000


def test_of_many_conditions_some_are_shown_or_those_asked_for(blocks):
    many = blocks["fi_curve"]
    figure = raster_figure(many)
    assert len(by_label(figure, "trial")) == MAX_COLUMNS
    assert "6 of 32 conditions are shown." in words(figure)
    assert "constant 0.1" in words(figure)
    assert "with noise 0.4" in words(figure)
    figure = raster_figure(many, conditions=["constant 0.2"])
    assert len(by_label(figure, "trial")) == 1
    assert "conditions are shown" not in words(figure)
    with pytest.raises(ValueError, match=r"'dc' is not in the block; it has: constant 0.1, "):
        raster_figure(many, conditions=["dc"])


def test_blocks_of_other_programs_are_drawn():
    figure = raster_figure(plain_block())
    (axes,) = by_label(figure, "spike train")
    (ticks,) = axes.get_lines()
    np.testing.assert_allclose(ticks.get_xdata(), [250, 500] * 3)
    np.testing.assert_array_equal(ticks.get_ydata(), [1, 1, 2, 2, 3, 3])
    assert axes.get_xlim() == (0.0, 2000.0)
    assert "segment 1" in words(figure)


def test_long_runs_are_drawn_in_seconds():
    block, segment = neo.Block(), neo.Segment(name="s")
    block.segments.append(segment)
    segment.spiketrains.append(neo.SpikeTrain([12_000.0], units="ms", t_stop=20_000.0))
    figure = raster_figure(block)
    assert figure.axes[-1].get_xlabel() == "time (s)"
    assert by_label(figure, "spike train")[0].get_lines()[0].get_xdata() == [12.0]


@pytest.mark.parametrize("segments", [0, 1])
def test_nothing_is_drawn_as_nothing(segments):
    block = neo.Block(name="nothing")
    block.segments.extend(neo.Segment() for _ in range(segments))
    for draw in (raster_figure, isi_figure):
        figure = draw(block)
        FigureCanvasAgg(figure).draw()
        assert "nothing" in words(figure)


def test_a_silent_condition_says_so(blocks):
    figure = raster_figure(blocks["fi_curve"], conditions=["constant 0.1"])
    assert "no spikes" in [text.get_text() for text in by_label(figure, "trial")[0].texts]


# --- f-I curve and intervals -----------------------------------------------------------------


def test_fi_figure_shows_rates_closed_form_and_rheobase(blocks):
    block = blocks["fi_curve"]
    (axes,) = fi_figure(block).axes
    experiment = Experiment.from_json(block.annotations["experiment_text"])
    neuron = theory.lif_neuron(experiment.neuron.cell_type, experiment.neuron.parameters)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [
        "closed form, constant current", "rheobase 0.1417 nA", "constant", "with noise",
    ]  # fmt: skip
    curve, rheobase = axes.get_lines()[:2]
    np.testing.assert_array_equal(curve.get_ydata(), theory.firing_rate(neuron, curve.get_xdata()))
    assert rheobase.get_xdata()[0] == pytest.approx(0.1416667, abs=1e-6)
    for container, name in zip(axes.containers, ("constant", "with noise"), strict=True):
        segments = [s for s in block.segments if s.annotations["series"] == name]
        rates = [mean_firing_rates(segment) for segment in segments]
        line, _, (bars,) = container
        np.testing.assert_allclose(line.get_xdata(), np.linspace(0.1, 0.4, 16))
        np.testing.assert_allclose(line.get_ydata(), [r.mean() for r in rates])
        half = [np.ptp(s[:, 1]) / 2 for s in bars.get_segments()]
        np.testing.assert_allclose(half, [r.std(ddof=1) for r in rates], atol=1e-9)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("current (nA)", "firing rate (Hz)")


def test_closed_form_is_left_out_where_it_does_not_hold():
    sweep = ("trials=2", "duration=50.0", "conditions.0.sweep.num=2", "conditions.1.sweep.num=2")
    recording = sample_runs.sample("fi_curve", *sweep)
    data = Experiment.from_json(recording.experiment).to_dict()
    for condition in data["conditions"]:
        condition["level"] *= 7  # the level is no current
    experiment = Experiment.from_dict(data)
    block = build_block(replace(recording, experiment=experiment.to_json()))
    (axes,) = fi_figure(block).axes
    assert axes.get_xlabel() == "level"
    assert len(axes.get_legend().get_texts()) == 2
    for segment in block.segments:
        segment.annotations.pop("level")
    with pytest.raises(ValueError, match="no condition of the block has a level"):
        fi_figure(block)


def test_isi_histograms_hold_every_interval(recordings, block):
    figure = isi_figure(block)
    edges = figure.axes[0].patches[0].get_data().edges
    total = beyond = 0
    for axes, segment, population in zip(
        figure.axes, block.segments, recordings["mainen_sejnowski"].populations, strict=True
    ):
        each = [np.diff(population.spike_times[population.spike_indices == k]) for k in range(8)]
        durations = np.concatenate(each)
        total, beyond = total + len(durations), beyond + int(np.sum(durations > edges[-1]))
        counts = axes.patches[0].get_data().values
        np.testing.assert_array_equal(counts, np.histogram(durations, edges)[0])
        found = cv(segment)
        assert f"CV {found.mean():.2f} ± {found.std(ddof=1):.2f}" in words(figure)
        assert axes.get_xlabel() == "inter-spike interval (ms)"
    assert beyond <= 0.01 * total
    assert edges[0] == 0
    assert len(edges) == isi.BINS + 1


def test_each_block_gets_the_figures_that_suit_it(blocks):
    assert list(figures.figures_for(blocks["mainen_sejnowski"])) == ["raster", "isi"]
    assert list(figures.figures_for(blocks["fi_curve"])) == ["fi_curve", "raster", "isi"]
    assert all(isinstance(draw(), Figure) for draw in figures.figures_for(plain_block()).values())


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
    for block in (
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
        for draw in figures.figures_for(block).values():
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
