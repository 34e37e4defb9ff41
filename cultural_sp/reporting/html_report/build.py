"""Writes a report into one folder: the page, a Markdown file and a CSV file per table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cultural_sp.config.inference import ReportConfig
from cultural_sp.reporting.html_report.collect import LeftOut, collect
from cultural_sp.reporting.html_report.groups import group_runs
from cultural_sp.reporting.html_report.page import markdown_page, page
from cultural_sp.reporting.html_report.tables import tables
from cultural_sp.utils.files import disk_errors, write_text

PAGE, FOLDER = "report.html", "report"


def write_report(folders: Sequence[Path], output: Path, left_out: Sequence[LeftOut] = ()) -> Path:
    """Write the report on all finished runs below some folders; returns the path of the page.

    Args:
        folders: run folders, or folders that contain them at any depth.
        output: folder of the report. It is created if needed; files of an earlier report are replaced.
        left_out: entries that the page lists as left out, in addition to runs that can't be read.

    Raises:
        ValueError: if there is no finished run, or if a file can't be written.
    """
    runs, unread = collect(folders, Path(os.path.commonpath(folders)))
    left_out = [*left_out, *unread]
    if not runs:
        why = f" ({left_out[0]}{'; ...' if len(left_out) > 1 else ''})" if left_out else ""
        raise ValueError(
            f"runs={folders[0]} holds no finished run{why}; give a run folder, or a folder above some, such as outputs/align"
        )
    groups = group_runs(runs)
    csv_tables = tables(groups, runs, left_out)
    files = [f"{table.name}.csv" for table in csv_tables]
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    for table in csv_tables:
        write_text(output / f"{table.name}.csv", table.csv())
    write_text(output / "report.md", markdown_page(groups, runs, left_out, files))
    write_text(output / PAGE, page(groups, runs, left_out, files))
    return output / PAGE


def report(config: ReportConfig) -> Path:
    """Run the program ``report``; returns the path of the page.

    Raises:
        ValueError: if the folder doesn't exist or holds no finished run, or if a file can't be written.
    """
    runs = Path(config.runs).expanduser()
    if not runs.is_dir():
        raise ValueError(
            f"runs={config.runs} is no folder; give a run folder, or a folder above some, such as outputs/align"
        )
    return write_report([runs], config.folder)
