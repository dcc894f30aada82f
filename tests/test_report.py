"""The report as a document: whole, self-contained, harmless, and true to the spikes."""

import base64
import hashlib
import re
from itertools import pairwise

import neo
import numpy as np
import pytest
from report_samples import COMMAND, HOSTILE, Page, compared, hostile, pair, report, single  # noqa: F401

from analysis.compare import compare
from analysis.pairing import named_segments
from analysis.report import Source, colours, comparison_report, markup
from analysis.report.plot import SPAN, Axis, dots, round_ticks
from analysis.spikearrays import spike_arrays


@pytest.fixture(scope="module", params=["report", "single", "hostile"])
def page(request):
    return Page(request.getfixturevalue(request.param))


# --- structure, for people and for what reads to them ----------------------------------------


def test_landmarks_and_language(page):
    for name in ("header", "nav", "main", "footer", "h1", "title"):
        assert len(page.all(name)) == 1, name
    assert page.all("html")[0].attributes["lang"] == "en"
    assert page.all("nav")[0].attributes["aria-label"]
    assert page.all("title")[0].text == page.all("h1")[0].text


def test_headings_do_not_leave_out_a_level(page):
    levels = [int(e.name[1]) for e in page.all() if re.fullmatch("h[1-6]", e.name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_every_reference_finds_one(page):
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    for element in page.all():
        for key in ("aria-labelledby", "aria-describedby"):
            assert set(element.attributes.get(key, "").split()) <= set(ids)
        if element.name == "a":
            assert element.attributes["href"].removeprefix("#") in ids
    assert [a.attributes["href"] for a in page.all("nav")[0].all("a")] == [
        f"#{section.attributes['id']}" for section in page.all("section")
    ]


def test_tables_say_what_their_rows_and_columns_are(page):
    assert page.all("table")
    for table in page.all("table"):
        assert table.all("caption")[0].text
        head, body = table.all("thead")[0], table.all("tbody")[0]
        assert all(e.attributes["scope"] == "col" and e.text for e in head.all("th"))
        for row in body.all("tr"):
            cells = [e for e in row.children if e.name in ("th", "td")]
            assert len(cells) == len(head.all("th"))
            assert [e.attributes.get("scope") for e in cells[:1]] == ["row"]
            assert all(e.name == "td" for e in cells[1:])


def test_figures_have_captions_and_pictures_have_words(page):
    assert page.all("figure")
    for figure in page.all("figure"):
        assert figure.all("figcaption")[0].text.endswith(".")
        plots = figure.with_class("plot")
        assert plots
        for plot in plots:
            assert plot.attributes["role"] == "img"
            assert len(plot.attributes["aria-label"]) > 20
            others = [e for e in plot.children if e.name == "g"]
            assert all(e.attributes.get("aria-hidden") == "true" for e in others)


def test_what_can_be_operated_has_a_name(page):
    for button in page.all("button"):
        assert button.attributes["aria-label"]
        assert button.attributes["type"] == "button"
    for box in page.all("input"):
        assert box.parent.name == "label"
        assert box.parent.text
    for element in page.all():
        if "tabindex" in element.attributes and element.name == "div":
            assert element.attributes["aria-label"]
            assert element.attributes["role"] in ("region", "group")


def test_the_pictures_tell_their_numbers_in_words(report, pair):
    spikes = spike_arrays(pair[0].segments[0])
    titles = [e.attributes["aria-label"] for e in Page(report).with_class("plot")]
    raster = next(t for t in titles if t.startswith("Raster of dc"))
    assert f"reference: {spikes.times.size} spikes." in raster
    assert f"same: {spikes.times.size} spikes, 100 % matched, 0 missing, 0 extra." in raster


# --- nothing from outside, nothing that acts -------------------------------------------------


def test_nothing_is_loaded_from_anywhere(page, request):
    for element in page.all():
        assert element.name not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        for key, value in element.attributes.items():
            assert key not in {"src", "style", "action", "xlink:href", "srcset"}, element.name
            assert not key.startswith("on")
            assert key != "href" or value.startswith("#")


def test_no_address_is_in_the_file(report, single):
    for text in (report, single):
        assert not re.search(r"https?:|//www|url\(|@import", text)


def test_the_policy_allows_the_one_style_and_the_one_script(report):
    page = Page(report)
    (meta,) = (
        e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    policy = dict(part.strip().split(" ", 1) for part in meta.attributes["content"].split(";"))
    assert policy["default-src"] == "'none'"
    for name in ("style", "script"):
        (element,) = page.all(name)
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert policy[f"{name}-src"] == f"'sha256-{digest}'"
    assert set(policy) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}


def test_a_hostile_name_stays_a_name(hostile):
    page = Page(hostile)
    assert len(page.all("script")) == 1
    assert len(page.all("title")) == 1
    shown = HOSTILE.replace("\u202e", "\ufffd").replace("\x00", "\ufffd")
    assert shown in page.by_id("condition-1").all("h2")[0].text
    assert shown in page.all("pre")[0].text
    assert "\u202e" not in hostile
    assert "\x00" not in hostile
    hostile.encode("utf-8")


@pytest.mark.parametrize("letter", ["\ud800", "\x1b", "\x7f", "\u2066"])
def test_letters_that_act_are_shown_as_unknown(letter):
    assert markup.text(f"a{letter}b") == "a\ufffdb"


def test_only_markup_is_not_escaped():
    assert markup.tag("p", "a < b & c", title='"') == '<p title="&quot;">a &lt; b &amp; c</p>'
    assert markup.tag("p", markup.tag("b", 1)) == "<p><b>1</b></p>"
    assert markup.joined(["<", markup.Markup("<br>"), None]) == "&lt;<br>"
    # Adding text to Markup gives text again.
    assert markup.tag("p", markup.Markup("<b>") + "x") == "<p>&lt;b&gt;x</p>"


def test_the_same_input_gives_the_same_bytes(pair):
    sources = [Source("a", pair[0]), Source("b", pair[1])]
    first, second = (comparison_report(sources, [compared(*pair)], COMMAND) for _ in range(2))
    assert first == second


# --- what is said and drawn ------------------------------------------------------------------


def test_the_verdict_stands_first_and_names_the_failed_conditions(report):
    page = Page(report)
    first = page.all("section")[0]
    assert first.attributes["id"] == "verdict"
    same, other = first.with_class("run-1") + first.with_class("run-2")
    assert "✓ passed" in same.text
    assert "Both conditions passed." in same.text
    assert "✗ failed" in other.text
    assert "2 of 2 conditions failed: dc and noise." in other.text
    assert "drifts by +0.08 ms with each spike" in other.text


def test_the_command_and_the_provenance_of_every_run(report, pair):
    page = Page(report)
    assert page.by_id("again").all("code")[0].text == COMMAND
    table = page.by_id("provenance").all("table")[0]
    rows = {row.children[0].text: [e.text for e in row.children[1:]] for row in table.all("tr")}
    assert rows["fact"] == ["reference", "same", "moved"]
    assert rows["backend"] == ["reference", "reference", "moved"]
    assert rows["digest"] == [pair[0].annotations["digest"][:16]] * 3
    assert rows["timestep"] == ["0.1 ms"] * 3
    assert rows["seed"] == ["1995"] * 3
    assert rows["host"] == ["a", "b", "–"]
    assert rows["version of numpy"] == ["2.0"] * 3


def test_parameters_that_differ_are_marked(report):
    table = Page(report).by_id("provenance").all("table")[1]
    rows = [[e.text for e in row.children] for row in table.all("tr")]
    assert ["tau_m (dc and noise), differs", "30.0", "30.0", "30.3"] in rows
    assert ["cm (dc and noise)", "0.25", "0.25", "0.25"] in rows


def drawn_moves(path):
    """(x, y) of each relative move of a path and what follows it."""
    x = y = 0.0
    for dx, dy, command, length in re.findall(r"m(-?\d+) ?(-?\d+)([hv])(-?\d+)", path):
        x, y = x + int(dx), y + int(dy)
        yield x, y, int(length)
        y += int(length) if command == "v" else 0


def test_the_ticks_are_the_spikes(report, pair):
    """Times and trials, read back from the paths of the raster."""
    page = Page(report)
    for place, block, class_ in ((1, pair[0], "reference"), (1, pair[1], "run-2")):
        figure = page.by_id(f"condition-{place}-spikes")
        (raster,) = figure.with_class("raster")
        (layer,) = raster.with_class(class_)
        moves = [m for p in layer.all("path") for m in drawn_moves(p.attributes["d"])]
        spikes = spike_arrays(list(named_segments(block).values())[place - 1])
        times = np.array([x for x, _, _ in moves]) / SPAN * 400.0
        rows = [int((SPAN - (y + length / 2)) / SPAN * 5) for _, y, length in moves]
        np.testing.assert_allclose(times, spikes.times, atol=400.0 / SPAN)
        assert rows == spikes.trials.tolist()


def test_lanes_lie_within_the_row_of_the_reference(report):
    (raster,) = Page(report).by_id("condition-1-spikes").with_class("raster")
    first = {}
    for class_ in ("reference", "run-1", "run-2"):
        path = raster.with_class(class_)[0].all("path")[0].attributes["d"]
        _, y, length = next(drawn_moves(path))
        first[class_] = (y, y + length)
    assert first["run-1"][0] == first["reference"][0]
    assert first["run-1"][1] == first["run-2"][0]
    assert first["run-2"][1] == first["reference"][1]


def test_differences_are_drawn_at_their_height(report, pair):
    figure = Page(report).by_id("condition-1-spikes")
    plot = figure.with_class("plot")[-1]
    low, high = map(float, plot.attributes["data-y"].split())
    (path,) = (e for e in plot.with_class("dots") if "run-2" in e.attributes["class"])
    drawn = [low + (1 - y / SPAN) * (high - low) for _, y, _ in drawn_moves(path.attributes["d"])]
    spikes = spike_arrays(pair[0].segments[0])
    expected = np.where(spikes.times > 200, np.minimum(400 - spikes.times, 0.5), 0.0)
    np.testing.assert_allclose(drawn, expected, atol=1e-4)


def test_missing_and_extra_spikes_are_marked_at_the_edges():
    blocks = []
    for trains in ([[20.0, 120.0], [40.0, 140.0, 240.0]], [[120.0, 320.0], [40.0, 240.0]]):
        block, segment = neo.Block(), neo.Segment(name="dc")
        for times in trains:
            segment.spiketrains.append(neo.SpikeTrain(times, units="ms", t_stop=400.0))
        block.segments.append(segment)
        blocks.append(block)
    comparison = compare(*blocks, "exact")
    sources = [Source("a", blocks[0]), Source("b", blocks[1])]
    page = Page(comparison_report(sources, [comparison], COMMAND))
    plot = page.by_id("condition-1-spikes").with_class("plot")[-1]
    drawn = [
        [(x / SPAN * 400.0, y / SPAN) for x, y, _ in drawn_moves(e.attributes["d"])]
        for e in plot.with_class("unmatched")
    ]
    # Missing ones at the lower edge, extra ones at the upper.
    assert drawn == [[(20.0, 0.93), (140.0, 0.93)], [(320.0, 0.0)]]


def test_the_first_divergence_has_both_potentials_the_threshold_and_both_spikes(report):
    figure = Page(report).by_id("condition-1-divergence")
    assert "moved: trial 3, spike 3" in figure.text
    assert "spike at 104.2 ms" in figure.text
    potentials, current, close = figure.with_class("plot")
    assert len(potentials.with_class("trace")) == 2
    assert len(potentials.with_class("moment")) == 2
    low, high = map(float, potentials.attributes["data-y"].split())
    (line,) = potentials.with_class("threshold")
    y = int(re.match(r"M0 (\d+)h", line.attributes["d"])[1])
    assert high - y / SPAN * (high - low) == pytest.approx(-53.0, abs=1e-3)
    assert "I (nA)" in current.text
    assert list(map(float, close.attributes["data-x"].split())) == pytest.approx([101.2, 107.7])
    assert len(close.with_class("trace")) == 2


def test_no_divergence_no_figure(report):
    assert "same: trial" not in Page(report).by_id("condition-1-divergence").text


def test_runs_with_the_same_spikes_are_said_to_be(pair):
    reference, other = pair
    sources = [
        Source(name, block) for name, block in zip("abc", (reference, other, other), strict=True)
    ]
    twice = [compare(reference, other, "exact")] * 2
    page = Page(comparison_report(sources, twice, COMMAND))
    assert "b and c have the very same spikes" in page.by_id("condition-1").text


def test_runs_that_part_in_the_same_way_share_a_panel(pair):
    reference, other = pair
    sources = [Source("a", reference), Source("b", other), Source("c", other)]
    page = Page(comparison_report(sources, [compared(reference, other)] * 2, COMMAND))
    names = page.by_id("condition-1-divergence").with_class("panel-name")
    assert [name.text for name in names] == ["b and c: trial 3, spike 3"]


def test_many_conditions_are_all_in_the_table_and_the_failed_ones_drawn():
    blocks = []
    for shift in (0.0, 1.0):
        block = neo.Block()
        for k in range(20):
            segment = neo.Segment(name=f"level {k}")
            time = 10.0 + (shift if k == 17 else 0.0)
            segment.spiketrains.append(neo.SpikeTrain([time], units="ms", t_stop=100.0))
            block.segments.append(segment)
        blocks.append(block)
    sources = [Source("a", blocks[0]), Source("b", blocks[1])]
    page = Page(comparison_report(sources, [compare(*blocks, "exact")], COMMAND))
    assert len(page.all("table")[0].all("tbody")[0].all("tr")) == 20
    drawn = [section.all("h2")[0].text for section in page.all("section")[1:-2]]
    assert drawn == [f"Condition level {k}" for k in (0, 3, 6, 9, 12, 15, 17, 19)]
    assert "12 conditions are in the table only." in page.by_id("verdict").text


def test_a_sweep_is_drawn_over_its_levels():
    """Points at the mean rates of both runs: 1, 2, 3 spikes in 100 ms, and one more."""
    blocks = []
    for more in (0, 1):
        block = neo.Block()
        for k in (1, 2, 3):
            segment = neo.Segment(name=f"level {k}", level=0.1 * k, series="dc")
            times = 10.0 * np.arange(1, k + 1 + more)
            segment.spiketrains.append(neo.SpikeTrain(times, units="ms", t_stop=100.0))
            block.segments.append(segment)
        blocks.append(block)
    sources = [Source("a", blocks[0]), Source("b", blocks[1])]
    page = Page(comparison_report(sources, [compare(*blocks, "exact")], COMMAND))
    (plot,) = page.by_id("levels").with_class("plot")
    ranges = [list(map(float, plot.attributes[f"data-{axis}"].split())) for axis in "xy"]
    for class_, rates in (("reference", [10, 20, 30]), ("run-1", [20, 30, 40])):
        (dots_,) = [e for g in plot.with_class(class_) for e in g.with_class("dots")]
        points = np.array([(x, SPAN - y) for x, y, _ in drawn_moves(dots_.attributes["d"])]) / SPAN
        for k, ((low, high), expected) in enumerate(
            zip(ranges, ([0.1, 0.2, 0.3], rates), strict=True)
        ):
            np.testing.assert_allclose(low + points[:, k] * (high - low), expected, atol=1e-4)


def test_a_condition_without_spikes_is_drawn():
    block = neo.Block()
    segment = neo.Segment(name="silent")
    segment.spiketrains.append(neo.SpikeTrain([], units="ms", t_stop=100.0))
    block.segments.append(segment)
    sources = [Source("a", block), Source("b", block)]
    page = Page(comparison_report(sources, [compare(block, block, "exact")], COMMAND))
    (raster,) = page.by_id("condition-1-spikes").with_class("raster")
    assert "a: 0 spikes." in raster.attributes["aria-label"]
    assert "no spikes" in raster.text


@pytest.mark.parametrize(("labels", "count"), [(["a", "a"], 1), (["a", "b", "c"], 1), (["a"], 0)])
def test_sources_that_do_not_go_with_the_comparisons_are_refused(pair, labels, count):
    comparisons = [compare(pair[0], pair[0], "exact")] * count
    with pytest.raises(ValueError, match=r"label|source"):
        comparison_report([Source(name, pair[0]) for name in labels], comparisons, COMMAND)


# --- colours, axes, size ---------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["LIGHT", "DARK"])
def test_colours_stand_out_from_the_page(theme):
    named, runs = getattr(colours, theme), getattr(colours, f"RUNS_{theme}")
    for ground in (named["page"], named["sheet"]):
        for words in ("text", "muted", "link", "pass", "fail"):
            assert colours.contrast(named[words], ground) >= 4.5, words
        for marks in (*runs, named["reference"], named["hold"]):
            assert colours.contrast(marks, ground) >= 3.0, marks


def test_contrast_is_that_of_the_guidelines():
    """Black on white, and the grey that is known to be the first to pass."""
    assert colours.contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert colours.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(
    ("low", "high", "most", "whole", "ticks"),
    [
        (0.0, 1000.0, 6, False, [0, 200, 400, 600, 800, 1000]),
        (-0.12, 0.31, 4, False, [0.0, 0.2]),
        (0.4, 3.6, 10, True, [1, 2, 3]),
        (1e6, 1e6 + 1, 3, False, [1e6, 1e6 + 0.5, 1e6 + 1]),
    ],
)
def test_ticks_stand_at_round_numbers(low, high, most, whole, ticks):
    assert round_ticks(low, high, most, whole) == pytest.approx(ticks)


def test_a_dot_takes_a_dozen_bytes():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0.0, 1000.0, 5000))
    axis = Axis(0.0, 1000.0, "")
    assert len(dots(axis, axis, times, times, "x")) < 14 * 5000
