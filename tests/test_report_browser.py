"""The report in headless Chromium: it asks for nothing, says nothing to the console, zooms, prints.

Run with: python -m pytest -m browser (needs the package chromium)
"""

import json

import neo
import numpy as np
import pytest
from chromium import Chromium
from report_samples import COMMAND, hostile, pair, report, single  # noqa: F401

from analysis.compare import compare
from analysis.report import Source, comparison_report

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

FIGURE = "document.querySelector('#condition-1-spikes')"
RASTER = f"{FIGURE}.querySelector('.raster')"
WHOLE = [0.0, 0.0, 1e6, 1e6]
CTRL, SHIFT = 2, 8


@pytest.fixture(scope="module")
def browser():
    with Chromium() as started:
        yield started


@pytest.fixture
def at(browser, tmp_path):
    """Open a report's text in the browser."""

    def open_(text, **look):
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        browser.open(path, **look)
        return browser

    return open_


@pytest.fixture
def raster(at, report):
    """The page, with the first raster in view."""
    page = at(report)
    page.evaluate(f"{FIGURE}.scrollIntoView()")
    return page


def box(page, element):
    """Left, top, width, height of an element in the window."""
    found = page.evaluate(
        f"(b => JSON.stringify([b.x, b.y, b.width, b.height]))({element}.getBoundingClientRect())"
    )
    return json.loads(found)


def axes(page):
    """Left, top, width, height of the raster's axes in the window."""
    return box(page, f"{RASTER}.querySelector('.hit')")


def view(page, plot=RASTER):
    """What is visible: x, y, width, height, of 1e6."""
    text = page.evaluate(f"{plot}.querySelector('.data').getAttribute('viewBox')")
    return [float(number) for number in text.split()]


def labels(page):
    """The numbers under the plots."""
    text = page.evaluate(
        f"JSON.stringify([...{FIGURE}.querySelectorAll('.x-ticks text')].map(t => t.textContent))"
    )
    return json.loads(text)


def status(page):
    return page.evaluate(f"{FIGURE}.querySelector('.status').textContent")


def press(page, name):
    page.evaluate(f"{FIGURE}.querySelector('[data-zoom={name}]').click()")


# --- what the page asks for and says -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["report", "single", "hostile"])
def test_no_request_and_no_complaint(at, request, kind):
    page = at(request.getfixturevalue(kind))
    for action in ("in", "right", "out", "reset"):
        press(page, action)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert [url.partition("://")[0] for url in page.requests()] == ["file"]
    assert page.complaints() == []
    assert page.evaluate("document.documentElement.className") == "script"


def test_a_script_that_gets_in_does_not_run(at, report):
    """Were there a hole in the escaping, the policy would still close it."""
    attack = "<script>document.title = 'taken'</script><p onclick='document.title = 1'></p></main>"
    page = at(report.replace("</main>", attack))
    page.evaluate("document.querySelector('p[onclick]').click()")
    assert page.evaluate("document.title").startswith("mainen_sejnowski")
    assert any("Content Security Policy" in said for said in page.complaints())


@pytest.mark.parametrize("width", [320, 400, 768, 1400])
@pytest.mark.parametrize("kind", ["report", "single", "hostile"])
def test_the_page_fits_every_width(at, request, width, kind):
    page = at(request.getfixturevalue(kind), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    left, _, wide, _ = axes(page)
    assert left >= 40
    assert left + wide <= width
    assert wide > 0.5 * width


def test_tables_that_scroll_are_stops_of_the_tab_key(at, report):
    page = at(report, width=400)
    first = "document.querySelector('.scroll')"
    assert page.evaluate(f"{first}.scrollWidth > {first}.clientWidth")
    assert page.evaluate(f"{first}.tabIndex") == 0
    page.look(1400)
    page.evaluate("dispatchEvent(new Event('resize'))")
    assert page.evaluate(f"{first}.tabIndex") == -1


@pytest.mark.parametrize("dark", [False, True])
def test_themes(at, report, dark):
    page = at(report, dark=dark)
    colours = page.evaluate(
        "JSON.stringify([getComputedStyle(document.body).backgroundColor, "
        f"getComputedStyle({RASTER}.querySelector('.reference .spike')).stroke])"
    )
    white, black = "rgb(255, 255, 255)", "rgb(0, 0, 0)"
    assert json.loads(colours) == (["rgb(20, 23, 27)", white] if dark else [white, black])


def test_it_is_read_without_a_script(at, report):
    page = at(report.replace("<script>", "<script>/* not the one that is allowed */"))
    assert page.evaluate("document.documentElement.className") == ""
    assert page.evaluate(f"getComputedStyle({FIGURE}.querySelector('.bar')).display") == "none"
    assert labels(page)[-1] == "400"


# --- the zoom ----------------------------------------------------------------------------------


def test_dragging_zooms_all_plots_to_what_was_dragged_over(raster):
    left, top, width, height = axes(raster)
    middle = top + height / 2
    raster.drag((left + 0.25 * width, middle), (left + 0.5 * width, middle))
    x, y, wide, high = view(raster)
    assert (x, wide) == pytest.approx((0.25e6, 0.25e6), abs=3e3)
    assert (y, high) == (0, 1e6)
    assert view(raster, f"{FIGURE}.querySelectorAll('.plot')[0]")[::2] == [x, wide]
    assert view(raster, f"{FIGURE}.querySelectorAll('.plot')[2]")[::2] == [x, wide]
    assert labels(raster) == ["100", "120", "140", "160", "180", "200"]
    assert status(raster).startswith("Shown: ")
    # And once more, within what is visible.
    raster.drag((left + 0.5 * width, middle), (left + 0.75 * width, middle))
    x, _, wide, _ = view(raster)
    assert (x, wide) == pytest.approx((0.375e6, 0.0625e6), abs=2e3)
    assert raster.complaints() == []


def test_dragging_a_rectangle_zooms_the_trials_too(raster):
    left, top, width, height = axes(raster)
    raster.drag((left + 0.1 * width, top), (left + 0.6 * width, top + 0.4 * height))
    x, y, wide, high = view(raster)
    assert (x, wide) == pytest.approx((0.1e6, 0.5e6), abs=3e3)
    assert (y, high) == pytest.approx((0, 0.4e6), abs=2e4)
    assert "trials 4 to 5" in status(raster)
    other = view(raster, f"{FIGURE}.querySelectorAll('.plot')[0]")
    assert other[1::2] == [0, 1e6]


def test_a_spike_is_drawn_where_its_time_is(raster, pair):
    """On the screen, zoomed: the tick of the first spike of trial 1 under its time."""
    left, top, width, height = axes(raster)
    raster.drag((left + 0.1 * width, top + 9), (left + 0.3 * width, top + 9))
    x, _, wide, _ = view(raster)
    time = float(pair[0].segments[0].spiketrains[0][0].rescale("ms"))
    shown = left + width * (time / 400.0 - x / 1e6) / (wide / 1e6)
    raster.evaluate("document.querySelectorAll('[data-switch]')[1].click()")
    raster.evaluate("document.querySelectorAll('[data-switch]')[2].click()")
    row = top + 0.9 * height
    found = raster.evaluate(
        f"""(() => {{
          const path = {RASTER}.querySelector('.reference .spike');
          const point = new DOMPoint({shown}, {row}).matrixTransform(path.getScreenCTM().inverse());
          const near = {3.0} / {width} * {wide};
          const moves = [...path.getAttribute('d').matchAll(/m(-?\\d+)/g)];
          let at = 0;
          return moves.some(m => Math.abs((at += Number(m[1])) - point.x) < near);
        }})()"""
    )
    assert found is True


def test_ctrl_and_wheel_zoom_around_the_pointer_and_the_wheel_alone_scrolls(raster):
    left, top, width, height = axes(raster)
    at = (left + 0.25 * width, top + height / 2)
    raster.mouse("mouseWheel", *at, deltaX=0, deltaY=-100, modifiers=CTRL)
    x, _, wide, _ = view(raster)
    assert wide == pytest.approx(1e6 * np.exp(-0.4), rel=1e-3)
    assert x + 0.25 * wide == pytest.approx(0.25e6, abs=2e3)
    before = raster.evaluate("scrollY")
    raster.mouse("mouseWheel", *at, deltaX=0, deltaY=100)
    raster.evaluate("new Promise(requestAnimationFrame)")
    assert view(raster)[2] == wide
    assert raster.evaluate("scrollY") >= before


def test_a_double_click_shows_all_again(raster):
    before = labels(raster)
    press(raster, "in")
    left, top, width, height = axes(raster)
    for count in (1, 2):
        more = {"button": "left", "clickCount": count}
        raster.mouse("mousePressed", left + width / 2, top + height / 2, buttons=1, **more)
        raster.mouse("mouseReleased", left + width / 2, top + height / 2, **more)
    assert view(raster) == WHOLE
    assert labels(raster) == before


def test_a_click_zooms_nothing(raster):
    left, top, *_ = axes(raster)
    raster.drag((left + 50, top + 20), (left + 52, top + 20))
    assert view(raster) == WHOLE
    assert raster.evaluate(f"{FIGURE}.querySelectorAll('.selection').length") == 0


def test_the_keyboard_does_it_too(raster):
    raster.evaluate(f"{FIGURE}.querySelector('.zoom').focus()")
    raster.key("+")
    assert view(raster) == [0.25e6, 0, 0.5e6, 1e6]
    raster.key("ArrowRight")
    assert view(raster)[0] == pytest.approx(0.375e6)
    raster.key("ArrowUp", SHIFT)
    assert view(raster)[1::2] == [0.25e6, 0.5e6]
    raster.key("ArrowDown")
    assert view(raster)[1] == pytest.approx(0.375e6)
    raster.key("-")
    raster.key("0")
    assert view(raster) == WHOLE


def test_all_is_reached_by_the_tab_key_in_order(raster):
    raster.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    found = []
    for _ in range(40):
        raster.key("Tab", code=9)
        found.append(
            raster.evaluate(
                "(e => e.getAttribute('data-zoom') || e.className || e.tagName)"
                "(document.activeElement)"
            )
        )
    assert found[0] == "skip"
    start = found.index("in")
    assert found[start : start + 6] == ["in", "out", "left", "right", "reset", "zoom"]
    assert "tool" in found[:start]


def test_the_ends_cannot_be_passed(raster):
    press(raster, "left")
    assert view(raster) == WHOLE
    for _ in range(40):
        press(raster, "in")
    assert view(raster)[2] == pytest.approx(100.0)
    assert all(len(text) < 12 for text in labels(raster))
    for _ in range(4):
        press(raster, "right")
    for _ in range(40):
        press(raster, "out")
    assert view(raster) == WHOLE


def test_buttons_that_can_do_nothing_say_so(raster):
    def disabled():
        text = raster.evaluate(
            f"JSON.stringify([...{FIGURE}.querySelectorAll('[data-zoom][aria-disabled=true]')]"
            ".map(b => b.dataset.zoom))"
        )
        return json.loads(text)

    assert disabled() == ["out", "left", "right", "reset"]
    press(raster, "in")
    assert disabled() == []


def test_a_run_can_be_switched_off_and_on(raster):
    layers = f"[...{FIGURE}.querySelectorAll('.plot .run-2')]"
    switch = f"{FIGURE}.querySelectorAll('[data-switch]')[2].click()"
    shown = f"{layers}.filter(e => getComputedStyle(e).display !== 'none').length"
    n = raster.evaluate(shown)
    assert n >= 2
    raster.evaluate(switch)
    assert raster.evaluate(shown) == 0
    raster.evaluate(switch)
    assert raster.evaluate(shown) == n


def test_the_pointer_tells_time_and_trial(raster):
    left, top, width, height = axes(raster)
    raster.mouse("mouseMoved", left + 0.5 * width, top + 0.1 * height)
    assert raster.evaluate(f"{FIGURE}.querySelector('.cursor').textContent") == (
        "Pointer: 200 ms, trial 5"
    )


# --- paper, and many trials --------------------------------------------------------------------


def test_it_prints(at, report, tmp_path):
    page = at(report, dark=True)
    page.pdf(tmp_path / "report.pdf")
    text = (tmp_path / "report.pdf").read_bytes()
    assert text.startswith(b"%PDF")
    assert 3 <= text.count(b"/Type /Page\n") <= 12
    # What was opened for the print is closed again.
    assert page.evaluate("document.querySelectorAll('details[open]').length") == 0


def test_a_thousand_trials(at, tmp_path):
    """The file stays small and a zoom is drawn while one looks."""
    rng = np.random.default_rng(3)
    blocks = []
    for k in range(3):
        block, segment = neo.Block(name=f"run {k}"), neo.Segment(name="many")
        for _ in range(1000):
            times = np.sort(rng.uniform(0.0, 1000.0, 15))
            segment.spiketrains.append(neo.SpikeTrain(times, units="ms", t_stop=1000.0))
        block.segments.append(segment)
        blocks.append(block)
    comparisons = [compare(blocks[0], other, "exact") for other in blocks[1:]]
    sources = [Source(f"run {k}", block) for k, block in enumerate(blocks)]
    text = comparison_report(sources, comparisons, COMMAND)
    assert len(text) < 3e6
    page = at(text)
    page.evaluate(f"{FIGURE}.scrollIntoView()")
    milliseconds = page.evaluate(
        f"""(() => {{
          const begun = performance.now();
          for (const action of ['in', 'in', 'right', 'out', 'reset'])
            {FIGURE}.querySelector(`[data-zoom=${{action}}]`).click();
          return performance.now() - begun;
        }})()"""
    )
    assert milliseconds < 500
    page.screenshot(tmp_path / "many.png")
    assert page.complaints() == []
