"""The figures: what they show is what the block holds."""

from dataclasses import replace

import neo
import numpy as np
import pytest
import sample_runs
from figure_samples import (  # noqa: F401 - fixtures
    block,
    blocks,
    by_label,
    network_block,
    plain_block,
    recordings,
    words,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from analysis import figures, isi, style, theory
from analysis.blocks import build_block, signal
from analysis.fi_curve import fi_figure
from analysis.isi import isi_figure
from analysis.raster import MAX_COLUMNS, raster_figure
from analysis.reliability import event_reliability
from analysis.statistics import cv, mean_firing_rates, psth
from pynn_model.experiment import Experiment

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
