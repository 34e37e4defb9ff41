"""Writes a report: the page, its Markdown and a CSV file of every table, in one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cultural_sp.config.inference import ReportConfig
from cultural_sp.reporting.html_report.collect import LeftOut, collect
from cultural_sp.reporting.html_report.groups import group
from cultural_sp.reporting.html_report.page import markdown_page, page
from cultural_sp.reporting.html_report.tables import tables
from cultural_sp.utils.files import disk_errors, write_text

PAGE, FOLDER = "report.html", "report"


def write_report(folders: Sequence[Path], output: Path, left_out: Sequence[LeftOut] = ()) -> Path:
    """Write the report on every finished run in and below ``folders`` into ``output``; returns the page's path.

    Args:
        folders: run folders, or folders above some.
        output: made if need be; files of an earlier report in it are replaced.
        left_out: what the page names beside what can't be read in the folders.

    Raises:
        ValueError: in one line, if there is no finished run or the disk refuses a write.
    """
    runs, unread = collect(folders, Path(os.path.commonpath(folders)))
    left_out = [*left_out, *unread]
    if not runs:
        why = f" ({left_out[0]}{'; ...' if len(left_out) > 1 else ''})" if left_out else ""
        raise ValueError(
            f"runs={folders[0]} holds no finished run{why}; give a run folder, or a folder above some, such as outputs/align"
        )
    groups = group(runs)
    found = tables(groups, runs, left_out)
    files = [f"{table.name}.csv" for table in found]
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    for table in found:
        write_text(output / f"{table.name}.csv", table.csv())
    write_text(output / "report.md", markdown_page(groups, runs, left_out, files))
    write_text(output / PAGE, page(groups, runs, left_out, files))
    return output / PAGE


def report(config: ReportConfig) -> Path:
    """Write the configured report; returns the page's path.

    Raises:
        ValueError: in one line, if the folder isn't there or holds no finished run, or if the disk refuses a write.
    """
    runs = Path(config.runs).expanduser()
    if not runs.is_dir():
        raise ValueError(
            f"runs={config.runs} is no folder; give a run folder, or a folder above some, such as outputs/align"
        )
    return write_report([runs], runs / FOLDER if config.output is None else Path(config.output).expanduser())
