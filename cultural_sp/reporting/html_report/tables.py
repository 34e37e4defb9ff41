"""The tables of a report that are written as CSV files, and what the page and its Markdown take from them."""

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
from cultural_sp.runs.result import ScoreRecord

Cell = str | int | float | None
NOTE_COLUMN = "model_note"
"""Column of the model's note, which stands beside all numbers of the model."""


CONDITION_COLUMNS = ("method", "wording", "option_order", "readout")


@dataclass(frozen=True)
class Table:
    """A table for a CSV file, with every number in full."""

    name: str
    """Name of the file, without ending."""
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]

    def csv(self) -> str:
        """Return the table as CSV. A missing value is an empty cell; text that a spreadsheet would run as a formula is quoted."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *([_inert(cell) for cell in row] for row in self.rows)])
        return text.getvalue()


def _inert(cell: Cell) -> Cell:
    """Put a quote before text that a spreadsheet would run as a formula."""
    return f"'{cell}" if isinstance(cell, str) and re.match(r"[=@\t\r]|[+-](?![\d.]+$)", cell) else cell


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it unchanged; line breaks become spaces."""
    escaped = " ".join(text.split())
    for character, entity in {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}.items():
        escaped = escaped.replace(character, entity)
    for character in "*_[]":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def tables(groups: Sequence[Group], runs: Sequence[Run], left_out: Sequence[LeftOut]) -> list[Table]:
    """Return every table of a report."""
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
    keys = ("region", "country", "vintage", "model", "setting", "wording", "method", "closest")
    values = ("loss", "low", "high", "interval", "seeds_with_loss", "seeds", "unit", NOTE_COLUMN)
    rows: list[tuple[Cell, ...]] = []
    for g in groups:
        place = (g.region, g.country, g.vintage, g.model, g.setting)
        for kind, losses in g.losses.items():
            closest = g.closest(kind)
            for method in SUMMARY:
                numbers = _numbers(losses[method], len(g.runs))
                rows.append((*place, kind, method, "yes" if method in closest else "no", *numbers, g.unit, g.note))
    return Table("losses", (*keys, *values), rows)


def _numbers(loss: Estimate | None, seeds: int) -> tuple[Cell, ...]:
    if loss is None:
        return (None, None, None, None, 0, seeds)
    return (loss.mean, loss.low, loss.high, loss.interval, loss.seeds, loss.of)


def _scores(runs: Sequence[Run]) -> Table:
    dimensions = list(dict.fromkeys(d for run in runs for d in run.result.region.target))
    values = ("loss", "valid_mass", "missing")
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        result = run.result
        place = (run.where, result.region.code, result.model, result.seed)
        target = (result.region.target.get(d) for d in dimensions)
        rows.append((*place, "target", *(None,) * (len(CONDITION_COLUMNS) - 1 + len(values)), *target, result.note))
        for r in result.scores:
            numbers = (getattr(r, value) for value in values)
            rows.append((*place, *_condition(r), *numbers, *(r.dimensions.get(d) for d in dimensions), result.note))
    columns = ("run", "region", "model", "seed", *CONDITION_COLUMNS, *values, *dimensions, NOTE_COLUMN)
    return Table("scores", columns, rows)


def _condition(record: ScoreRecord) -> tuple[str, ...]:
    return (record.method, record.wording, record.option_order, record.readout)


def _items(runs: Sequence[Run]) -> Table:
    items = list(dict.fromkeys(i for run in runs for r in run.result.scores for i in r.item_means))
    rows: list[tuple[Cell, ...]] = [
        (run.where, *_condition(r), *(r.item_means.get(i) for i in items), run.result.note)
        for run in runs
        for r in run.result.scores
    ]
    return Table("items", ("run", *CONDITION_COLUMNS, *items, NOTE_COLUMN), rows)


def _options(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (run.where, run.result.note, r.method, r.wording, r.option_order, item, *chances)
        for run in runs
        for r in run.result.scores
        for item, chances in (r.option_probabilities or {}).items()
    ]
    columns = ("run", NOTE_COLUMN, "method", "wording", "option_order", "item")
    codes = range(1, max(map(len, rows), default=len(columns)) - len(columns) + 1)  # the number of options may differ
    return Table("options", (*columns, *(f"code_{c}" for c in codes)), rows)


def _prompts(runs: Sequence[Run]) -> Table:
    """Nearest tokens of every virtual token, then the weights of statements, which leave the columns of tokens empty."""
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        for row in run.tokens:
            token, cosine = row["token"], float(row["cosine"])
            rows.append((run.where, row["virtual_token"], float(row["length"]), row["rank"], token, cosine, None))
        for row in run.statements:
            text = f"{row['dimension']} {row['pole']}: {row['statement']}"
            rows.append((run.where, None, None, None, text, None, float(row["weight"])))
    return Table("soft_prompts", ("run", "virtual_token", "length", "rank", "text", "cosine", "weight"), rows)


def _validity(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        cells: tuple[Cell, ...] = ("not checked", None, None, None, None)
        if (v := run.result.validity) is not None:
            cells = (v.verdict, v.items_right, v.items_total, v.content_share, v.sentence)
        rows.append((run.where, run.result.model, *cells, run.result.note))
    columns = ("run", "model", "verdict", "items_right", "items_total", "content_share", "sentence", NOTE_COLUMN)
    return Table("validity", columns, rows)


def _configs(runs: Sequence[Run]) -> Table:
    keys = config_differences(runs)
    rows: list[tuple[Cell, ...]] = [
        (run.where, *(run.config.get(key, "unknown") for key in keys), "; ".join(run.notes)) for run in runs
    ]
    return Table("configs", ("run", *keys, "notes"), rows)


def provenance_of(run: Run) -> dict[str, str]:
    """Return the provenance of a result as text, with dots in the keys of nested values."""
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


def answer_shares(g: Group, method: str) -> tuple[float | None, float | None, float | None]:
    """Return the mean valid mass on tuned and on held-out wordings, and the share of missing answers in generated text.

    None where there is no such answer.
    """
    tuned, others = (
        mean(r.valid_mass for w in g.wordings.get(kind, []) for r in g.records(method, w)) for kind in (TUNED, HELD_OUT)
    )
    try:
        generated = mean(r.missing for r in g.records(method, TUNED, "generate"))
    except KeyError:
        generated = None
    return tuned, others, generated
