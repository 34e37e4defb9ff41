"""The summary of a sweep: a table with a row per job, or per region of a joint run; printed, as CSV and with a report."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from cultural_sp.cli.sweep import FAILED, Outcome, Sweep
from cultural_sp.reporting.text_tables import text_table
from cultural_sp.runs.folder import result_files
from cultural_sp.runs.methods import STRONGEST_ICL
from cultural_sp.runs.result import Result, load_result, pooled
from cultural_sp.utils.files import write_text
from cultural_sp.utils.terminal import show

LOSS_COLUMNS = ("aligned", "naive", "persona", STRONGEST_ICL.key, "random_search", "midpoint")
"""Methods with a column of losses; ``icl`` is the strongest in-context baseline, of which persona is one."""
MAX_LISTED_ERRORS = 5  # in the last line; the table has all
FIXED_COLUMN_KEYS = ("region", "region.code", "seed", "model", "model.name_or_path", "readout", "readout.kind")


@dataclass(frozen=True)
class Row:
    """One job of a sweep and its losses for one region."""

    outcome: Outcome
    region: str | None
    varying: dict[str, str]
    """The overrides in which the jobs differ."""
    losses: dict[str, float | None]
    """Method -> loss on the tuned wording under the searched readout; empty without a result."""
    folder: str | None
    """The folder of the result."""
    note: str = ""
    """The model's note."""
    digits: int = 0
    """Decimals of the survey's scores."""

    @property
    def title(self) -> str:
        """The name of the job in an error message."""
        return " ".join([f"job {self.outcome.job}", *(f"{key}={value}" for key, value in self.varying.items())])

    @property
    def others(self) -> dict[str, str]:
        """The varying overrides that have no column in every table."""
        return {key: value for key, value in self.varying.items() if key not in FIXED_COLUMN_KEYS}


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row per job and region, with the overrides in which the jobs differ and the losses in the run folders."""
    overrides = [dict(override.split("=", 1) for override in o.overrides if "=" in override) for o in outcomes]
    keys = list(dict.fromkeys(key for values in overrides for key in values))
    varying = [key for key in keys if len({values.get(key) for values in overrides}) > 1]
    return [
        row
        for outcome, values in zip(outcomes, overrides, strict=True)
        for row in _rows(outcome, {key: values.get(key, "") for key in varying})
    ]


def _rows(outcome: Outcome, varying: dict[str, str]) -> list[Row]:
    """Return a row for every result of a job; without a result, one row for the job itself."""
    rows = []
    if outcome.folder is not None and outcome.readout is not None:
        with suppress(ValueError, KeyError):  # the folder was moved or replaced since; the row has the state
            for file in result_files(Path(outcome.folder)):
                result = load_result(file)
                region, losses = _region(outcome, result), _losses(result, outcome.readout)
                rows.append(Row(outcome, region, varying, losses, str(file.parent), result.note, result.digits))
    return rows or [Row(outcome, outcome.region, varying, {}, outcome.folder)]


def _region(outcome: Outcome, result: Result) -> str | None:
    return f"{outcome.region}: {result.region.code}" if result.joint else outcome.region


def _losses(result: Result, readout: str) -> dict[str, float | None]:
    """Return method -> loss on the tuned wordings under a readout; None where an answer is missing.

    Raises:
        KeyError: if the result lacks one of the methods.
    """
    from cultural_sp.reporting.aggregate import run_table, with_icl  # here, as pandas takes a while to import

    table = with_icl(run_table([result]), readout)
    losses = table[(table.wording == pooled("tuned")) & (table.readout == readout)].set_index("method").loss
    return {method: None if isnan(losses[method]) else float(losses[method]) for method in LOSS_COLUMNS}


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV: every column, with losses in full.

    Raises:
        ValueError: if the file can't be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        ["job", "region", "seed", "model", *rows[0].others, *LOSS_COLUMNS, "readout", "state", "error", "run_folder"]
    )
    for row in rows:
        o = row.outcome
        losses = [row.losses.get(method) for method in LOSS_COLUMNS]
        table.writerow(
            [o.job, row.region, o.seed, o.model, *row.others.values(), *losses, o.readout, o.state, o.error, row.folder]
        )
    write_text(path, text.getvalue())


def summary_table(rows: Sequence[Row]) -> str:
    """Return the rows as text, with the notes of the models below; models and readouts only if there are several."""
    columns: dict[str, list[str]] = {
        "job": [str(row.outcome.job) for row in rows],
        "region": [row.region or "" for row in rows],
        "seed": [str(row.outcome.seed) for row in rows],
    }
    for name in ("model", "readout"):
        values = [getattr(row.outcome, name) or "" for row in rows]
        if len(set(values)) > 1:
            columns[name] = values
    columns |= {key: [row.others[key] for row in rows] for key in rows[0].others}
    for method in LOSS_COLUMNS:
        head = STRONGEST_ICL.label if method == STRONGEST_ICL.key else method.replace("_", " ")
        columns[head] = [_loss(row, method) for row in rows]
    columns["state"] = [": ".join(filter(None, (row.outcome.state, row.outcome.error))) for row in rows]
    notes = [f"model: {note}" for note in dict.fromkeys(row.note for row in rows) if note]
    table = text_table(list(columns), list(zip(*columns.values(), strict=True)), left=[len(columns) - 1])
    return "\n".join([table, *notes])


def _loss(row: Row, method: str) -> str:
    if not row.losses:
        return ""
    loss = row.losses[method]
    return "-" if loss is None else f"{loss:.{row.digits + 1}f}"


def report(sweep: Sweep, *, whole: bool) -> list[str]:
    """Print the table of a sweep, write its CSV file and its report, and return the errors, which are printed too.

    Args:
        sweep: the sweep; its job files are deleted.
        whole: whether all jobs have ended.
    """
    outcomes = sweep.outcomes(whole=whole)
    sweep.delete_job_files()
    if not outcomes:
        return []
    rows = rows_of(outcomes)
    errors = [f"{row.title}: {row.outcome.error}" for row in rows if row.outcome.state == FAILED]
    show(f"\n{summary_table(rows)}\n")
    if errors:
        listed = "; ".join(errors[:MAX_LISTED_ERRORS]) + ("; ..." if len(errors) > MAX_LISTED_ERRORS else "")
        show(f"error: {len(errors)} of {len(outcomes)} jobs failed: {listed}", error=True)
    places = []
    for write in (_write_summary, _write_report):
        try:
            places += write(sweep.summary, rows)
        except ValueError as error:
            errors.append(str(error))
            show(f"error: {error}", error=True)
    if places:
        show("\n".join(reversed(places)))
    return errors


def _write_summary(summary: Path, rows: Sequence[Row]) -> list[str]:
    """Write the CSV file; return the line that names it."""
    write_csv(summary, rows)
    return [f"sweep summary: {summary}"]


def _write_report(summary: Path, rows: Sequence[Row]) -> list[str]:
    """Write the report beside the CSV file if a job has a result; return the line that names it."""
    from cultural_sp.reporting.html_report.build import write_report
    from cultural_sp.reporting.html_report.collect import LeftOut

    folders = [Path(row.folder) for row in rows if row.folder is not None]
    reasons = {row.title: row.outcome.error or row.outcome.state for row in rows if row.folder is None}
    left_out = [LeftOut(title, reason) for title, reason in reasons.items()]
    return [f"report: {write_report(folders, summary.with_suffix(''), left_out)}"] if folders else []
