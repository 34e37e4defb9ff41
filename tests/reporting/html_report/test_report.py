import csv
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from helpers.reports import HOSTILE, NOT_MEASURABLE, SURVEY, write_hostile, write_run
from helpers.runs import call
from scipy import stats

from cultural_sp.reporting.aggregate import estimate
from cultural_sp.reporting.figure_data import spread_out
from cultural_sp.reporting.html_report.build import write_report
from cultural_sp.reporting.html_report.collect import collect
from cultural_sp.reporting.html_report.groups import config_differences, group_runs
from cultural_sp.reporting.html_report.message import closest, comparisons, headline, seeds_sentence, wins
from cultural_sp.reporting.html_report.plane import principal_plane
from cultural_sp.reporting.html_report.svg import nice_ticks
from cultural_sp.reporting.html_report.tables import escape_markdown
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import load_result
from cultural_sp.survey.regions import complete_regions

VOID = {"meta", "link", "br", "input", "path", "use", "rect", "circle"}


class Strict(HTMLParser):
    """Every element is closed, every id is there once; collects what the page would load and the text it shows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.loads, self.tags, self.shown = [], set(), [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert given.get("id") not in self.ids
        self.ids |= {given["id"]} if "id" in given else set()
        self.loads += [v for k, v in attributes if k in ("src", "href", "xlink:href", "action", "data", "srcset")]
        self.tags.append(tag)
        assert not any(key.startswith("on") for key in given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.shown.append(data)


def report_on(folder):
    page = write_report([folder], folder / "report")
    text = page.read_text()
    return text, Strict(text)


def table(page_folder, name):
    with (page_folder / f"{name}.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def losses(tuned, held):
    """A change of a result: these losses, method by method."""

    def change(folder):
        path = folder / "result.json"
        raw = json.loads(path.read_text())
        for record in raw["scores"]:
            record["loss"] = (tuned if record["wording"].startswith("tuned") else held)[SUMMARY.index(record["method"])]
        path.write_text(json.dumps(raw))

    return change


def groups_in(folder):
    return group_runs(collect([folder], folder)[0])


def test_a_page_that_needs_nothing_else(tmp_path):
    for region in ("sa", "us", "cn", "in"):
        write_run(tmp_path / region, region)
    text, page = report_on(tmp_path)
    assert all(load.startswith(("#", "data:")) for load in page.loads)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert page.tags.count("script") == 2
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"report.html", "report.md", "losses.csv", "scores.csv", "items.csv", "options.csv"} <= names
    before = {path: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    report_on(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "report").iterdir()} == before


def test_names_are_text_wherever_they_come_from(tmp_path):
    write_hostile(tmp_path / "<b>run")
    write_run(tmp_path / "other")
    bad = write_run(tmp_path / "<u>bad")
    (bad / "result.json").write_text("{")
    text, page = report_on(tmp_path)
    assert page.tags.count("script") == 2
    assert not {"img", "u"} & set(page.tags)
    assert "{{ 7*7 }}" in html.unescape(text)
    assert HOSTILE in "".join(page.shown)
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in markdown
    assert "<img" not in markdown


def test_a_spreadsheet_runs_nothing(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "nearest_tokens.csv").write_text("virtual_token,length,rank,token,cosine\n1,1,1,=1+1,-0.5\n1,1,2,-,0.1\n")
    report_on(tmp_path)
    rows = table(tmp_path / "report", "soft_prompts")
    assert [(row["text"], row["cosine"]) for row in rows] == [("'=1+1", "-0.5"), ("'-", "0.1")]


def test_who_is_closest_is_said_whoever_it_is(tmp_path):
    numbers = {
        "sa": ([18, 30, 40, 36, 17, 12], [18, 23, 21, 30, 25, 20]),
        "us": ([9, 30, 40, 36, 17, 12], [18, 23, 18, 30, 25, 20]),
    }
    for region, (tuned, held) in numbers.items():
        losses(tuned, held)(write_run(tmp_path / region, region))
    groups = groups_in(tmp_path)
    assert wins(groups, "tuned") == dict.fromkeys(SUMMARY, 0) | {"aligned": 1, "midpoint": 1}
    assert wins(groups, "held out") == dict.fromkeys(SUMMARY, 0) | {"midpoint": 2, "persona": 1}
    assert closest(groups) == [
        "On what was tuned, the midpoint respondent is closest in 1 of 2, the evolved prompt in 1.",
        "On held-out wordings, the midpoint respondent is closest in 2 of 2, the strongest persona in 1.",
    ]
    (single,) = groups_in(tmp_path / "sa")
    assert closest([single])[0] == "On what was tuned, the evolved prompt is closest."
    text, _ = report_on(tmp_path)
    assert text.count('class="win"') == 2 + 1 + 2
    rows = table(tmp_path / "report", "losses")
    assert [(r["region"], r["wording"]) for r in rows if (r["method"], r["closest"]) == ("midpoint", "yes")] == [
        ("SA", "held out"),
        ("US", "tuned"),
        ("US", "held out"),
    ]


def test_the_first_sentence_says_what_became_better_and_what_did_not(tmp_path):
    #            midpoint naive persona start random aligned
    numbers = {
        "sa": ([18, 30, 40, 36, 12, 14], [18, 23, 21, 30, 25, 22]),
        "us": ([9, 30, 10, 36, 17, 12], [18, 23, 18, 30, 25, 23.04]),
        "in": ([18, 30, None, 36, 17, 10], [18, 23, 18, 30, 25, 26]),
    }
    for region, (tuned, held) in numbers.items():
        losses(tuned, held)(write_run(tmp_path / region, region))
    groups = groups_in(tmp_path)
    assert headline(groups) == (
        "The evolved prompt is closer to the target than the plain model in 3 of 3 regions on what was tuned, "
        "in 1 of 3 on held-out wordings."
    )
    found = {
        kind: {c.baseline: (c.closer, c.of, c.outcome, round(c.change, 2)) for c in against}
        for kind, against in comparisons(groups).items()
    }
    assert found == {
        "tuned": {
            "naive": (3, 3, "yes", -18),
            "persona": (1, 3, "partly", -12),
            "random_search": (2, 3, "partly", -5),
            "midpoint": (2, 3, "partly", -4),
        },
        "held out": {
            "naive": (1, 3, "partly", 0.04),
            "persona": (0, 3, "no", 5.04),
            "random_search": (2, 3, "partly", -1.96),
            "midpoint": (0, 3, "no", 5.04),
        },
    }
    (single,) = groups_in(tmp_path / "in")
    assert headline([single]) == (
        "India: the evolved prompt is closer to the target than the plain model on what was tuned (30.0 → 10.0 index points), "
        "not closer on held-out wordings (23.0 → 26.0 index points)."
    )
    _, page = report_on(tmp_path)
    assert page.shown.index(headline(groups)) < page.shown.index("✓")
    assert "partly" not in "".join(page.shown)
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "| tuned wordings | 3 of 3 (-18.0) | 1 of 3 (-12.0) | 2 of 3 (-5.0) | 2 of 3 (-4.0) |" in markdown


def test_runs_that_are_only_tracked_otherwise_are_seeds_of_one_group(tmp_path):
    for seed, tracker in enumerate(({"mode": "offline", "group": "a-sweep"}, {"mode": "disabled", "group": None})):
        folder = write_run(tmp_path / str(seed), "us", seed=seed)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump(config | {"tracker": tracker}))
    (together,) = groups_in(tmp_path)
    assert len(together.runs) == 2
    assert config_differences([*together.runs]) == ["seed"]


NOTE = "phantom, says nothing about any culture"


def test_what_must_be_said_about_a_model_stands_wherever_its_numbers_do(tmp_path):
    for region in ("us", "jp"):
        write_run(tmp_path / region / "plain", region)
        write_run(tmp_path / region / "control", region, adapter="wheel:some/control", note=NOTE)
    groups = groups_in(tmp_path)
    assert [(g.model, g.note) for g in groups] == [("control", NOTE), ("model-a", "")] * 2
    assert {g.setting for g in groups} == {""}
    text, _ = report_on(tmp_path)
    parts = re.split(r"<h2 id=\"(\w+)\"", text)
    sections = {"top": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    said = {name: section.count(NOTE) for name, section in sections.items()}
    assert said == {"top": 1, "headline": 1, "map": 1, "regions": 2, "items": 1, "runs": 2}  # in the config differences
    assert (tmp_path / "report" / "report.md").read_text().count(NOTE) == 1 + 2 + 2
    for name in ("losses", "scores", "items", "options", "validity"):
        rows = table(tmp_path / "report", name)
        assert {row["model_note"] for row in rows} == {"", NOTE}


def test_ranges_over_wordings_where_there_is_one_seed(tmp_path):
    folder = write_run(tmp_path / "run", wordings=("tuned", "tuned_2", "held_out_1"))
    path = folder / "result.json"
    raw = json.loads(path.read_text())
    for record in raw["scores"]:
        numbers = {"tuned": 10.0, "tuned_2": 14.0, "tuned_pooled": 11.0, "held_out_1": 30.0, "held_out_pooled": 30.0}
        record["loss"] = numbers[record["wording"]]
    path.write_text(json.dumps(raw))
    (g,) = groups_in(tmp_path)
    assert g.wordings == {"tuned": ["tuned", "tuned_2"], "held out": ["held_out_1"]}
    assert str(g.losses["tuned"]["aligned"]) == "11.0 [10.0, 14.0]"
    assert str(g.losses["held out"]["aligned"]) == "30.0"
    assert "In brackets for a single seed: the lowest and highest loss of one wording." in seeds_sentence([g])
    report_on(tmp_path)
    rows = table(tmp_path / "report", "losses")
    assert {r["interval"] for r in rows if r["wording"] == "tuned"} == {"range of single wordings"}
    assert {r["interval"] for r in rows if r["wording"] == "held out"} == {""}


@pytest.mark.parametrize(
    "checked", [NOT_MEASURABLE, None, replace(NOT_MEASURABLE, verdict="measurable", sentence="fine")]
)
def test_validity_stands_above_all_numbers(tmp_path, checked):
    write_run(tmp_path / "run", validity=checked)
    text, page = report_on(tmp_path)
    verdict = "not checked" if checked is None else checked.verdict
    body = text[text.index("<body>") :]
    assert 0 < body.index(f"<b>{verdict}</b>") < body.index("<table")
    warned = "they say nothing about a culture" in "".join(page.shown)
    assert warned == (verdict != "measurable")
    assert f"**{verdict.upper()}**" in (tmp_path / "report" / "report.md").read_text()


def test_means_and_intervals_over_seeds():
    values = [10.0, 12.0, 17.0]
    found = estimate(values)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((13, low, high))
    assert str(estimate([10.0])) == "10.0"
    assert str(estimate([10.0, 12.0])) == "11.0 [10.0, 12.0]"
    assert str(estimate([10.0, None])) == "10.0 (1 of 2 seeds)"
    assert estimate([None]) is None


def test_seeds_come_together_and_settings_stay_apart(tmp_path):
    for seed in range(3):
        write_run(tmp_path / f"a{seed}", seed=seed)
    folder = write_run(tmp_path / "b", optimizer="cma")
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("kind: de", "kind: cma"))
    groups = groups_in(tmp_path)
    assert [(g.setting, g.seeds) for g in groups] == [("optimizer.kind=cma", [0]), ("optimizer.kind=de", [0, 1, 2])]
    assert seeds_sentence(groups) == (
        "Means over 1 to 3 seeds; in brackets 95 % t intervals from three on. Scores are pooled over wordings. "
        "In brackets for a single seed: the lowest and highest loss of one wording."
    )
    assert seeds_sentence(groups[:1]).startswith("Single seed: ")
    text, _ = report_on(tmp_path)
    assert "aligned (optimizer)" in text


def test_a_method_without_a_loss_is_not_closest(tmp_path):
    losses([18, None, 40, 36, 17, None], [None] * 6)(write_run(tmp_path / "run"))
    (g,) = groups_in(tmp_path)
    assert g.closest("tuned") == ["random_search"]
    assert g.closest("held out") == []
    assert closest([g])[1] == "On held-out wordings, no method has a loss: answers are missing."
    missing = "not comparable {}, as answers are missing"
    assert headline([g]) == (
        f"United States: the evolved prompt is {missing.format('on what was tuned')}, "
        f"{missing.format('on held-out wordings')}."
    )
    _, page = report_on(tmp_path)
    assert "no method has a loss" in "".join(page.shown)


def test_incomplete_targets_and_foreign_surveys_cost_the_map_only(tmp_path):
    folder = write_run(tmp_path / "run")
    path = folder / "result.json"
    raw = json.loads(path.read_text())
    raw["region"]["target"]["PDI"] = None
    path.write_text(json.dumps(raw))
    _, page = report_on(tmp_path)
    assert "Without a complete target there: US." in "".join(page.shown)
    (folder / "config.yaml").write_text("survey: {instrument: gone.yaml}")
    _, page = report_on(tmp_path)
    assert "No map, as the survey's target table can't be read" in "".join(page.shown)


def test_the_plane_holds_most_of_the_variance():
    targets = np.stack([region.target for region in complete_regions(SURVEY, "insights_2021")])
    found = principal_plane(targets, SURVEY.dimension_names)
    values, vectors = np.linalg.eigh(np.cov(targets.T))
    assert found.shares == pytest.approx(values[::-1][:2] / values.sum())
    assert np.abs(found.axes @ vectors[:, ::-1][:, :2]) == pytest.approx(np.eye(2), abs=1e-9)
    assert found.at(targets).mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert (found.axes.max(axis=1) >= -found.axes.min(axis=1)).all()
    assert "of variance)" in found.name(0)


def test_small_helpers_by_hand():
    assert nice_ticks(0, 42, 5) == [0, 10, 20, 30, 40]
    assert nice_ticks(0, 0, 5) == [0]
    assert nice_ticks(-30, 120, 6) == [0, 50, 100]
    assert spread_out([5, 5, 30], 10, 0, 100) == [5, 15, 30]
    assert spread_out([98, 99], 10, 0, 100) == [90, 100]
    assert escape_markdown("a|b\n<c> *d*") == "a&#124;b &lt;c&gt; \\*d\\*"


def test_the_command_writes_where_it_is_told(monkeypatch, capsys, tmp_path):
    write_run(tmp_path / "runs" / "one")
    code, out, err = call(monkeypatch, capsys, f"runs={tmp_path / 'runs'}", entry="report")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"report: {tmp_path / 'runs' / 'report' / 'report.html'}"
    code, out, _ = call(monkeypatch, capsys, f"runs={tmp_path / 'runs'}", f"output={tmp_path / 'here'}", entry="report")
    assert code == 0
    assert (tmp_path / "here" / "report.html").is_file()


def test_bad_input_of_the_command_is_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "result.json").write_text("{")
    cases = {
        f"runs={tmp_path / 'nowhere'}": "is no folder; give a run folder",
        f"runs={tmp_path / 'empty'}": "holds no finished run; give a run folder",
        f"runs={tmp_path / 'bad'}": "holds no finished run (left out: ",
        "run=x": "unknown key run; allowed: runs, output",
    }
    for override, message in cases.items():
        code, _, err = call(monkeypatch, capsys, override, entry="report")
        assert code == 2
        assert err.count("\n") == 1
        assert message in err


def test_a_sweep_of_two_regions_ends_with_a_report(monkeypatch, capsys, no_figures, short_run, tmp_path):
    sweep = [
        "--multirun",
        *short_run,
        f"output_dir={tmp_path}",
        "region=us,jp",
        "optimizer.budget=5",
    ]
    code, out, err = call(monkeypatch, capsys, *sweep, "soft_prompt=statements", "soft_prompt.n_tokens=2")
    assert code == 0, err
    (line,) = [line for line in out.splitlines() if line.startswith("report: ")]
    folder = next((tmp_path / "sweeps").glob("*/report.html")).parent
    assert line == f"report: {folder / 'report.html'}"
    page = Strict((folder / "report.html").read_text())
    shown = "".join(page.shown)
    files = [csv.DictReader(file.open()) for file in (tmp_path / "align").rglob("statements.csv")]
    moved = sum(any(float(row["weight"]) for row in rows) for rows in files)  # the initial prompt weighs nothing
    assert shown.count("statements that weigh most") == moved >= 1
    assert "Japan, United States: tiny, 2 runs" in shown
    rows = {(r["region"], r["wording"], r["method"]): r for r in table(folder, "losses")}
    for region in ("us", "jp"):
        result = load_result(next((tmp_path / "align" / region).rglob("result.json")))
        assert float(rows[region.upper(), "tuned", "aligned"]["loss"]) == result.score("aligned").loss
        held = result.score("naive", "held_out_1").loss
        assert float(rows[region.upper(), "held out", "naive"]["loss"]) == pytest.approx(held)
    assert len(table(folder, "options")) == 2 * 5 * 4 * 4  # regions, methods, wordings and pools, items
    assert not list((tmp_path / "align").rglob("report.html"))
