"""Fills the templates of the page and of its Markdown with tables, figures and sentences."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cultural_sp.reporting.html_report.collect import LeftOut, Run
from cultural_sp.reporting.html_report.figures import convergence, dimensions, thinning
from cultural_sp.reporting.html_report.groups import TUNED, Group, common_unit, config_differences, mean
from cultural_sp.reporting.html_report.message import (
    BASELINES,
    GENERAL,
    KINDS,
    closest,
    comparisons,
    headline,
    notes,
    seeds_sentence,
    verdicts,
)
from cultural_sp.reporting.html_report.options import codes_of, items_of, options
from cultural_sp.reporting.html_report.plane import maps
from cultural_sp.reporting.html_report.svg import SHAPES, nice_ticks
from cultural_sp.reporting.html_report.tables import answer_shares, escape_markdown, provenance_of
from cultural_sp.reporting.limits import limits_sentence
from cultural_sp.reporting.tables import MEANS_NOTHING, origin
from cultural_sp.runs.methods import METHODS, SUMMARY
from cultural_sp.utils.progress import with_progress

INTERVAL_HEIGHTS = {"random_search": 3, "aligned": 23}  # in a strip of losses, above and below the marks
MAX_OPEN_GROUPS = 6  # with more groups than this, only the first one is unfolded
DEFAULT_N_OPTIONS = 5  # for an item whose options aren't recorded
N_SHADES = 8  # of the heat map, between the lowest and the highest code
MAX_TOKENS, MAX_NEAREST, MAX_STATEMENTS, MAX_PROVENANCE_VALUES = 8, 3, 6, 3  # on the page
MAX_SEEDS = 4  # soft prompts of one group that the page shows
VISIBLE_SPACES = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"})


def page(groups: Sequence[Group], runs: Sequence[Run], left_out: Sequence[LeftOut], files: Sequence[str]) -> str:
    """Return the page as HTML. Everything that isn't markup of this package is escaped."""
    environment = _environment(escape=True)
    script = environment.get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        **_context(groups, runs, left_out),
        files=files,
        cards=[
            _card(g, opened=len(groups) <= MAX_OPEN_GROUPS or i == 0)
            for i, g in with_progress("drawing", list(enumerate(groups)))
        ],
        maps=maps(groups),
        options=options(groups),
        marks={method: SHAPES[METHODS[method].marker] for method in SUMMARY},
        colours={method: METHODS[method].page_colours for method in SUMMARY},
        script=Markup(script),
        script_hash=digest,
    )


def markdown_page(
    groups: Sequence[Group], runs: Sequence[Run], left_out: Sequence[LeftOut], files: Sequence[str]
) -> str:
    """Return the sentences and the main tables as Markdown."""
    environment = _environment(escape=False)
    context = _context(groups, runs, left_out)
    return environment.get_template("report.md").render(
        **context, files=files, groups=groups, dimension=_dimension, shown=number_of
    )


@cache
def _environment(*, escape: bool) -> Environment:
    """Return the environment that compiles a template once for all reports of a process."""
    environment = Environment(
        loader=PackageLoader("cultural_sp.reporting.html_report"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["md"] = lambda value: escape_markdown(str(value))
    return environment


def _context(groups: Sequence[Group], runs: Sequence[Run], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    tops = {unit: _top([g for g in groups if g.unit == unit]) for unit in dict.fromkeys(g.unit for g in groups)}
    unit = common_unit(groups)
    model_verdicts = verdicts(groups)
    groups_of = {run.where: g for g in groups for run in g.runs}
    keys = config_differences(runs)
    return {
        "title": _title(groups, runs),
        "headline": headline(groups),
        "comparisons": comparisons(groups),
        "baselines": BASELINES,
        "kinds": KINDS,
        "closest": closest(groups),
        "notes": notes(groups),
        "general": GENERAL,
        "seeds": seeds_sentence(groups),
        "verdicts": model_verdicts,
        "warning": "" if all(v.passed for v in model_verdicts) else MEANS_NOTHING,
        "methods": SUMMARY,
        "names": _names(groups),
        "heights": INTERVAL_HEIGHTS,
        "unit": unit,
        "digits": groups[0].digits,
        "rows": [_row(g, tops[g.unit]) for g in groups],
        "ticks": []
        if unit is None
        else [(f"{x:g}", round(100 * x / tops[unit], 2)) for x in nice_ticks(0, tops[unit], 4)],
        "regions": dict(sorted(((g.region, g.country) for g in groups), key=lambda pair: pair[1])),
        "models": list(dict.fromkeys(g.model for g in groups)),
        "settings": any(g.setting for g in groups),
        "keys": keys,
        "runs": [(run, [run.config.get(key, "unknown") for key in keys]) for run in runs],
        "groups_of": groups_of,
        "provenance": _provenance(runs),
        "factors": [(groups_of[run.where], run.result.seed, run.factors) for run in runs if run.factors is not None],
        "frozen": _frozen(runs),
        "left_out": left_out,
    }


def _top(groups: Sequence[Group]) -> float:
    """Return the loss at the right end of a strip."""
    known = [e for g in groups for losses in g.losses.values() for e in losses.values() if e]
    top, end = (max(values, default=0.0) for values in ([e.mean for e in known], [e.high for e in known]))
    return min(end, 1.25 * top) * 1.03 or 1.0  # three seeds may give huge intervals


def _title(groups: Sequence[Group], runs: Sequence[Run]) -> str:
    def count(n: int, noun: str) -> str:
        return f"{n} {noun}{'' if n == 1 else 's'}"

    countries = list(dict.fromkeys(g.country for g in groups))
    models = list(dict.fromkeys(g.model for g in groups))
    regions = ", ".join(countries) if len(countries) <= 4 else count(len(countries), "region")
    model = models[0] if len(models) == 1 else count(len(models), "model")
    return f"{regions}: {model}, {count(len(runs), 'run')}"


def _names(groups: Sequence[Group]) -> dict[str, str]:
    aligned = {g.names["aligned"] for g in groups}
    return {**groups[0].names, **({} if len(aligned) == 1 else {"aligned": "aligned (optimizer)"})}


def _row(g: Group, top: float) -> dict[str, Any]:
    """Return a region of the headline table: losses, closest methods and positions of marks for each kind of wording."""
    kinds = {}
    for kind, losses in g.losses.items():
        known = {m: e for m, e in losses.items() if e is not None}
        kinds[kind] = {
            "losses": losses,
            "closest": g.closest(kind),
            "spots": {m: _at(e.mean, top) for m, e in known.items()},
            "spans": {
                m: (_at(e.low, top), _at(e.high, top))
                for m in INTERVAL_HEIGHTS
                if (e := known.get(m)) is not None and e.spread
            },
            "description": ", ".join(
                f"{g.names[m]} {e.format(e.mean)}" for m, e in sorted(known.items(), key=lambda x: x[1].mean)
            ),
        }
    return {"group": g, "kinds": kinds, "verdicts": verdicts([g])}


def _at(loss: float, top: float) -> float:
    return round(min(max(100 * loss / top, 0.0), 100.0), 2)


def _limits(g: Group) -> str:
    """The sentence on skill and floors; empty where the search or its expected readout has no scores."""
    try:
        return limits_sentence(g.first.result, g.first.readout)
    except KeyError:
        return ""


def _card(g: Group, *, opened: bool) -> dict[str, Any]:
    items = list(g.first.result.score("naive", TUNED, g.first.readout).item_means)
    return {
        "group": g,
        "opened": opened,
        "convergence": convergence(g),
        "dimensions": dimensions(g),
        "verdicts": verdicts([g]),
        "masses": {m: [_share(v) for v in answer_shares(g, m)] for m in SUMMARY if m != "midpoint"},
        "items": [(item, title, [_shaded(g, m, item) for m in SUMMARY]) for item, title in items_of(g, items).items()],
        "prompts": [(run.result.seed, _tokens(run), _statements(run)) for run in g.runs[:MAX_SEEDS]],
        "factors": [(run.result.seed, run.factors) for run in g.runs[:MAX_SEEDS] if run.factors is not None],
        "more_prompts": max(len(g.runs) - MAX_SEEDS, 0),
        "limits": _limits(g),
        "origin": list(dict.fromkeys(line for run in g.runs for line in origin(run.result))),
        "notes": [f"seed {run.result.seed}: {note}" for run in g.runs for note in run.notes],
        "answers": g.first.result.open_answers,
        "thin": thinning(g),
    }


def _share(value: float | None) -> str:
    if value is None:
        return "-"
    if 0 < value < 0.0001:
        return "<0.0001"
    return f"{value:.4f}" if 0 < value < 0.001 else f"{value:.3f}"


def _shaded(g: Group, method: str, item: str) -> tuple[str, int | None]:
    """Return the mean of an item over seeds as text, with its shade."""
    value = mean(record.item_means.get(item) for record in g.records(method, TUNED))
    if value is None:
        return "-", None
    chances = g.records("naive", TUNED, "expected")[0].option_probabilities or {}
    codes = codes_of(g, item, len(chances.get(item, range(DEFAULT_N_OPTIONS))))
    return f"{round(value, 1) + 0.0:.1f}", min(
        max(round((value - codes[0]) / (codes[-1] - codes[0]) * N_SHADES), 0), N_SHADES
    )


def _tokens(run: Run) -> tuple[list[tuple[str, str, list[tuple[str, str]]]], int]:
    """Return number, length and nearest tokens of the first virtual tokens, and how many more there are."""
    tokens: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}
    for row in run.tokens:
        entry = tokens.setdefault(row["virtual_token"], (row["virtual_token"], f"{float(row['length']):.1f}", []))
        if len(entry[2]) < MAX_NEAREST:
            entry[2].append((row["token"].translate(VISIBLE_SPACES), f"{float(row['cosine']):.2f}"))
    return list(tokens.values())[:MAX_TOKENS], max(len(tokens) - MAX_TOKENS, 0)


def _statements(run: Run) -> list[tuple[str, str]]:
    """Return weight and text of the statements with the largest weights; an empty list if all weights are 0."""
    weighted = [row for row in run.statements if float(row["weight"]) != 0]
    return [
        (f"{float(row['weight']):+.2f}", f"{row['dimension']} {row['pole']}: {row['statement']}")
        for row in weighted[:MAX_STATEMENTS]
    ]


def _provenance(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, int]], int]]:
    """Return each key, its most common values with their numbers of runs, and how many more values there are."""
    entries = [provenance_of(run) for run in runs]
    keys = [
        k for k in dict.fromkeys(key for e in entries for key in e) if k != "config_hash" and not k.startswith("seeds")
    ]
    table = []
    for key in keys:
        values = Counter(entry.get(key, "unknown") for entry in entries).most_common()
        table.append((key, values[:MAX_PROVENANCE_VALUES], max(len(values) - MAX_PROVENANCE_VALUES, 0)))
    return table


def _frozen(runs: Sequence[Run]) -> str:
    pairs = [
        (r.result.provenance.get("weights_hash_before"), r.result.provenance.get("weights_hash_after")) for r in runs
    ]
    same = sum(before is not None and before == after for before, after in pairs)
    if same == len(pairs):
        return "No weight of any model changed: the hash over all weights is the same before and after every run."
    return f"Warning: equal hashes over all weights before and after are recorded in only {same} of {len(pairs)} runs."


def _dimension(g: Group, method: str, dimension: str) -> str:
    value = mean(record.dimensions[dimension] for record in g.records(method, TUNED))
    return number_of(g, value)


def number_of(g: Group, value: float | None) -> str:
    """Format a score with the decimals of its unit."""
    return "-" if value is None else f"{value:.{g.digits - 1}f}"
