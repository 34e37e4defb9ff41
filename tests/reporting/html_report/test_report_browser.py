"""The page in a real browser: quiet, offline, quick, filterable, and nothing clipped or on top of each other."""

from itertools import product

import pytest
from helpers.browser import PROGRAM, WITHOUT, Browser
from helpers.reports import SURVEY, write_hostile, write_run

from cultural_sp.reporting.html_report.build import write_report
from cultural_sp.survey.regions import region_codes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason=WITHOUT)]
SECONDS = 3

CLIPPED = """[...document.querySelectorAll("figure > svg")].flatMap(svg => {
  const frame = svg.viewBox.baseVal, texts = [...svg.querySelectorAll("text")].filter(t => t.getClientRects().length);
  const inside = svg.getBoundingClientRect();
  const boxes = texts.map(t => [t.textContent, t.getBoundingClientRect()]);
  const out = boxes.filter(([, b]) => b.left < inside.left - 1 || b.right > inside.right + 1 || b.top < inside.top - 1
    || b.bottom > inside.bottom + 1).map(([text]) => "outside: " + text);
  const over = boxes.flatMap(([text, a], i) => boxes.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
    .map(([other]) => text + " on " + other));
  return [...out, ...over].map(fault => svg.getAttribute("aria-label").slice(0, 40) + ": " + fault);
})"""
UNFOLDED = """new Promise(done => {
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  setTimeout(() => requestAnimationFrame(done), 100);
})"""
SHOWN = "[...document.querySelectorAll('{}')].filter(e => e.getClientRects().length).length"


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def four_regions(tmp_path_factory):
    """A report over four regions, two models and three seeds."""
    folder = tmp_path_factory.mktemp("four")
    for region in ("sa", "us", "cn", "in"):
        for model in ("org/model-a", "org/model-b"):
            for seed in range(3):
                write_run(folder / region / model / str(seed), region, model, seed)
    return write_report([folder], folder / "report")


def quiet(browser):
    """Nothing was logged, nothing was thrown, nothing but the page itself was asked for."""
    assert browser.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    urls = {event["request"]["url"].split(":")[0] for event in browser.of("Network.requestWillBeSent")}
    assert urls <= {"file", "data"}


@pytest.mark.parametrize("seeds", [1, pytest.param(4, marks=pytest.mark.exhaustive)])
def test_two_hundred_runs_open_quickly(browser, tmp_path, seeds):
    """With a single seed every run has a row, a card and figures of its own, which is the most that a page can hold."""
    codes = region_codes(SURVEY, "insights_2021")[:50]
    models = [f"org/model-{i}" for i in range(4 // seeds)]
    for code, model, seed in product(codes, models, range(seeds)):
        write_run(tmp_path / "runs" / code / model / str(seed), code, model, seed)
    page = write_report([tmp_path / "runs"], tmp_path / "report")
    assert page.stat().st_size < 10e6
    assert (tmp_path / "report" / "configs.csv").read_text().count("\n") == 1 + 200
    browser.screen(1280)
    browser.open(page)
    assert 0.05 < browser.seconds() < SECONDS
    assert browser.run("document.querySelectorAll('details.card[data-region]').length") == 200 // seeds
    quiet(browser)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_clipped_or_covered(browser, four_regions, width, dark):
    browser.screen(width, dark=dark)
    browser.open(four_regions)
    quiet(browser)
    browser.run(UNFOLDED)
    assert browser.run(SHOWN.format("details.card figure > svg")) == 2 * 8
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run(CLIPPED) == []
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(20, 23, 28)") == dark
    browser.run("document.getElementById('theme').click()")
    assert (browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)") != dark


def test_folded_cards_unfold(browser, four_regions):
    browser.screen(1280)
    browser.open(four_regions)
    figures = SHOWN.format("details.card figure > svg")
    assert browser.run(figures) == 2
    browser.run("document.querySelectorAll('details.card')[7].querySelector('summary').click()")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.run(figures) == 4
    assert browser.run(CLIPPED) == []
    quiet(browser)


def test_hostile_names_stay_text(browser, tmp_path):
    for seed in range(8):
        write_hostile(tmp_path / "runs" / f"<img src=x>{seed}", seed)
    page = write_report([tmp_path / "runs"], tmp_path / "report")
    browser.screen(1280)
    browser.open(page)
    assert browser.run("document.querySelectorAll('script[type=\"text/html\"]').length") == 7
    browser.run(UNFOLDED)
    assert browser.run("document.querySelectorAll('script').length") == 2
    assert browser.run("document.querySelectorAll('img, i, [onerror]').length") == 0
    assert browser.run("document.body.innerText.split('<img src=x onerror=alert(2)>').length") > 8 * 5
    assert browser.of("Page.javascriptDialogOpening") == []
    quiet(browser)


def choose(browser, name, value):
    browser.run(
        f"(() => {{ const e = document.querySelector('[name={name}]'); e.value = '{value}';"
        " e.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_filters_leave_what_was_asked_for(browser, four_regions):
    browser.screen(1280)
    browser.open(four_regions)
    browser.run(UNFOLDED)
    cards, rows = SHOWN.format("details.card[data-region]"), SHOWN.format(".headline tbody tr")
    maps = SHOWN.format("#map ~ .grid figure")
    assert [browser.run(x) for x in (cards, rows, maps)] == [8, 16, 2]
    choose(browser, "region", "CN")
    assert [browser.run(x) for x in (cards, rows, maps)] == [2, 4, 2]
    assert browser.run("document.getElementById('shown').textContent").startswith("2 of 8 shown")
    assert browser.run("document.getElementById('case').selectedOptions[0].text").startswith("China")
    choose(browser, "model", "model-b")
    assert [browser.run(x) for x in (cards, rows, maps)] == [1, 2, 1]
    assert browser.run("document.getElementById('case').selectedOptions[0].text") == "China · model-b"
    choose(browser, "region", "")
    choose(browser, "model", "")
    assert [browser.run(x) for x in (cards, rows, maps)] == [8, 16, 2]

    marks, bars = SHOWN.format("svg [data-method=persona] use"), SHOWN.format("#bars table")
    assert browser.run(marks) > 0
    assert browser.run(bars) == 5
    browser.run("document.querySelector('[value=persona]').click()")
    assert browser.run(marks) == 0
    assert browser.run(SHOWN.format("[data-method=persona]")) == 0
    assert browser.run(bars) == 4
    assert browser.run(SHOWN.format(".heat tr:first-child > *")) == 8 * 2 * 6
    quiet(browser)


def test_single_items_show_their_options(browser, four_regions):
    browser.screen(1280)
    browser.open(four_regions)
    texts = "[...document.querySelectorAll('#bars table:first-child tr')].map(r => r.textContent)"
    before = browser.run(texts)
    assert len(before) == 5
    assert before[0].startswith("1 extremely important")
    browser.run(
        "(() => { const e = document.getElementById('item'); e.value = 17; e.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(texts)[0].startswith("1 very good")
    shares = browser.run(texts.replace("r.textContent", "parseFloat(r.lastChild.textContent)"))
    assert sum(shares) == pytest.approx(100, abs=0.3)


def test_the_keyboard_reaches_everything(browser, four_regions):
    browser.screen(1280)
    browser.open(four_regions)
    reached = set()
    for _ in range(40):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.add(
            browser.run("document.activeElement.name || document.activeElement.id || document.activeElement.tagName")
        )
    assert {"theme", "region", "model", "method", "SUMMARY", "case", "item", "wording"} <= reached
    unnamed = "[...document.querySelectorAll('figure > svg, .strip')].filter(e => !e.getAttribute('aria-label')).length"
    assert browser.run(unnamed) == 0
