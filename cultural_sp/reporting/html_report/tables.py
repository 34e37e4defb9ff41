"""The tables of a report: built once, shown on the page, and written as Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cultural_sp.reporting.aggregate import Estimate
from cultural_sp.reporting.html_report.collect import LeftOut, Run
from cultural_sp.reporting.html_report.groups import HELD_OUT, TUNED, Group, config_differences, mean
from cultural_sp.runs.methods import SUMMARY

Cell = str | int | float | None
NOTE = "model_note"  # what must be said about a model stands beside all of its numbers


@dataclass(frozen=True)
class Table:
    """A table in full, for a CSV file."""

    name: str
    """Of its file."""
    heads: tuple[str, ...]
    rows: list[tuple[Cell, ...]]

    def csv(self) -> str:
        """As CSV; what is missing stays empty, and text that a spreadsheet would run as a formula gets a quote in front."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.heads, *([_inert(cell) for cell in row] for row in self.rows)])
        return text.getvalue()


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and re.match(r"[=@\t\r]|[+-](?![\d.]+$)", cell) else cell


def in_markdown(text: str) -> str:
    """Text as Markdown shows it unchanged."""
    plain = " ".join(text.split())
    for character, instead in {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}.items():
        plain = plain.replace(character, instead)
    for character in "*_[]":
        plain = plain.replace(character, f"\\{character}")
    return plain


def tables(groups: Sequence[Group], runs: Sequence[Run], left_out: Sequence[LeftOut]) -> list[Table]:
    """Every table of a report."""
    return [
        _losses(groups),
        _scores(runs),
        _items(runs),
        _options(runs),
        _prompts(runs),
        _validity(runs),
        _configs(runs),
        _provenance(runs),
        Table("left_out", ("folder", "reason"), [(entry.where, entry.reason) for entry in left_out]),
    ]


def _losses(groups: Sequence[Group]) -> Table:
    heads = ("region", "country", "vintage", "model", "setting", "wording", "method", "closest")
    rows: list[tuple[Cell, ...]] = []
    for g in groups:
        about = (g.region, g.country, g.vintage, g.model, g.setting)
        for kind, losses in g.losses.items():
            closest = g.closest(kind)
            rows += [
                (*about, kind, m, "yes" if m in closest else "no", *_numbers(losses[m], len(g.runs)), g.unit, g.note)
                for m in SUMMARY
            ]
    return Table("losses", (*heads, "loss", "low", "high", "interval", "seeds_with_loss", "seeds", "unit", NOTE), rows)


def _numbers(e: Estimate | None, seeds: int) -> tuple[Cell, ...]:
    return (None,) * 4 + (0, seeds) if e is None else (e.mean, e.low, e.high, e.interval, e.seeds, e.of)


def _scores(runs: Sequence[Run]) -> Table:
    dimensions = list(dict.fromkeys(d for run in runs for d in run.result.region.target))
    heads = (
        "run",
        "region",
        "model",
        "seed",
        "method",
        "wording",
        "option_order",
        "readout",
        "loss",
        "valid_mass",
        "missing",
    )
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        note = run.result.note
        about = (run.where, run.result.region.code, run.result.model, run.result.seed)
        target = run.result.region.target
        rows.append((*about, "target", *(None,) * 6, *(target.get(d) for d in dimensions), note))
        for r in run.result.scores:
            asked = (r.method, r.wording, r.option_order, r.readout, r.loss, r.valid_mass, r.missing)
            rows.append((*about, *asked, *(r.dimensions.get(d) for d in dimensions), note))
    return Table("scores", (*heads, *dimensions, NOTE), rows)


def _items(runs: Sequence[Run]) -> Table:
    items = list(dict.fromkeys(i for run in runs for r in run.result.scores for i in r.item_means))
    heads = ("run", "method", "wording", "option_order", "readout", *items, NOTE)
    rows: list[tuple[Cell, ...]] = [
        (
            run.where,
            r.method,
            r.wording,
            r.option_order,
            r.readout,
            *(r.item_means.get(i) for i in items),
            run.result.note,
        )
        for run in runs
        for r in run.result.scores
    ]
    return Table("items", heads, rows)


def _options(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (run.where, run.result.note, r.method, r.wording, r.option_order, item, *chances)
        for run in runs
        for r in run.result.scores
        for item, chances in (r.option_probabilities or {}).items()
    ]
    heads = ("run", NOTE, "method", "wording", "option_order", "item")
    codes = range(1, max(map(len, rows), default=len(heads)) - len(heads) + 1)  # the number of options may differ
    return Table("options", (*heads, *(f"code_{c}" for c in codes)), rows)


def _prompts(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        rows += [
            (
                run.where,
                row["virtual_token"],
                float(row["length"]),
                row["rank"],
                row["token"],
                float(row["cosine"]),
                None,
            )
            for row in run.tokens
        ]
        rows += [
            (
                run.where,
                None,
                None,
                None,
                f"{row['dimension']} {row['pole']}: {row['statement']}",
                None,
                float(row["weight"]),
            )
            for row in run.statements
        ]
    return Table("soft_prompts", ("run", "virtual_token", "length", "rank", "text", "cosine", "weight"), rows)


def _validity(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        v = run.result.validity
        found = (
            ("not checked", None, None, None)
            if v is None
            else (v.verdict, v.items_right, v.items_total, v.content_share)
        )
        sentence = None if v is None else v.sentence
        rows.append((run.where, run.result.model, *found, sentence, run.result.note))
    heads = ("run", "model", "verdict", "items_right", "items_total", "content_share", "sentence", NOTE)
    return Table("validity", heads, rows)


def _configs(runs: Sequence[Run]) -> Table:
    keys = config_differences(runs)
    rows: list[tuple[Cell, ...]] = [
        (run.where, *(run.config.get(key, "unknown") for key in keys), "; ".join(run.notes)) for run in runs
    ]
    return Table("configs", ("run", *keys, "notes"), rows)


def provenance_of(run: Run) -> dict[str, str]:
    """What a result says of where it came from, as flat text."""
    flat: dict[str, str] = {}
    for key, value in run.result.provenance.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": str(x) for inner, x in value.items()}
        else:
            flat[str(key)] = value if isinstance(value, str) else json.dumps(value)
    flat["optimizer"] = run.result.optimizer
    flat["evaluations"] = str(run.result.evaluations)
    return flat


def _provenance(runs: Sequence[Run]) -> Table:
    entries = [provenance_of(run) for run in runs]
    keys = list(dict.fromkeys(key for entry in entries for key in entry))
    rows: list[tuple[Cell, ...]] = [
        (run.where, *(entry.get(key) for key in keys)) for run, entry in zip(runs, entries, strict=True)
    ]
    return Table("provenance", ("run", *keys), rows)


def masses(g: Group, method: str) -> tuple[float | None, float | None, float | None]:
    """Mean valid mass on the tuned and on the held-out wordings, and the share of missing answers in generated text."""
    tuned, others = (
        mean(r.valid_mass for w in g.wordings.get(kind, []) for r in g.records(method, w)) for kind in (TUNED, HELD_OUT)
    )
    try:
        generated = mean(r.missing for r in g.records(method, TUNED, "generate"))
    except KeyError:
        generated = None
    return tuned, others, generated
