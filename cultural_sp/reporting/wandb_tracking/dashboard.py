"""The program ``dashboard``: makes a wandb workspace and a wandb report for the runs below a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cultural_sp.reporting.tables import origin
from cultural_sp.reporting.wandb_tracking.panels import panels
from cultural_sp.runs.folder import CONFIG, RESULT, finished_runs, result_files
from cultural_sp.runs.result import load_result
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.terminal import show

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report
    from wandb_workspaces.workspaces import Workspace


@dataclass(frozen=True)
class Runs:
    """What a dashboard needs to know of the finished runs below a folder."""

    entity: str
    project: str
    groups: list[str]
    dimensions: list[str]
    wordings: list[str]
    remarks: list[str]
    """Notes that must stand wherever numbers of these runs appear."""
    unit: str
    """Unit of scores and losses; several units are joined by commas."""


def runs_below(folder: Path, entity: str | None = None) -> Runs:
    """Read the finished runs below ``folder``; ``entity`` overrides the runs' own.

    Raises:
        ValueError: if there are none, if they are in several projects, or if their entity isn't known.
    """
    groups: set[str] = set()
    places: set[tuple[str | None, str]] = set()
    dimensions: dict[str, None] = {}
    wordings: dict[str, None] = {}
    remarks: dict[str, None] = {}
    units: dict[str, None] = {}
    for run in finished_runs(folder):
        config = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
        tracker = config.get("tracker", {})
        groups.add(tracker.get("group") or config["name"])
        places.add((entity or tracker.get("entity"), tracker.get("project", "cultural-sp")))
        for file in result_files(run):
            result = load_result(file)
            dimensions |= dict.fromkeys(result.region.target)
            wordings |= dict.fromkeys(record.wording for record in result.scores)
            remarks |= dict.fromkeys(origin(result))
            units[result.unit] = None
    if not places:
        raise ValueError(f"no finished run (no {RESULT}) in {folder}; give a folder above finished runs")
    if len(places) > 1:
        names = ", ".join(sorted(f"{e or '?'}/{p}" for e, p in places))
        raise ValueError(f"the runs in {folder} are in several projects ({names}); give a folder with one of them")
    ((owner, project),) = places
    if owner is None:
        raise ValueError("whose project it is is not known, as tracker.entity is null; give --entity NAME")
    return Runs(owner, project, sorted(groups), list(dimensions), list(wordings), list(remarks), ", ".join(units))


def workspace(runs: Runs) -> Workspace:
    """Return the workspace, not yet saved."""
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    sections = panels(runs.dimensions, runs.wordings, runs.remarks, runs.unit)
    return ws.Workspace(
        entity=runs.entity,
        project=runs.project,
        name=_title(runs),
        sections=[ws.Section(name=name, panels=its, is_open=True) for name, its in sections.items()],
        runset_settings=ws.RunsetSettings(filters=expr.And(expr.Metric("Group").isin(runs.groups))),
    )


def report(runs: Runs) -> Report:
    """Return the report, not yet saved."""
    from wandb_workspaces import expr
    from wandb_workspaces.reports import v2 as wr

    blocks: list[Any] = []
    for name, section in panels(runs.dimensions, runs.wordings, runs.remarks, runs.unit).items():
        runset = wr.Runset(filters=expr.And(expr.Metric("Group").isin(runs.groups)))  # of the report's project
        blocks += [wr.H2(name), wr.PanelGrid(runsets=[runset], panels=section)]
    return wr.Report(entity=runs.entity, project=runs.project, title=_title(runs), blocks=blocks, width="fluid")


def main(arguments: Sequence[str] | None = None) -> None:
    """``cultural-sp dashboard FOLDER``: save both at wandb, or with ``--dry-run`` print them as JSON."""
    parser = argparse.ArgumentParser(description="A wandb workspace and report over finished runs.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with the runs, such as outputs/align")
    parser.add_argument("--entity", help="account or team at wandb, if the runs' tracker.entity is null")
    parser.add_argument("--dry-run", action="store_true", help="save nothing, and print what would be saved as JSON")
    options = parser.parse_args(arguments)
    try:
        runs = runs_below(options.folder, options.entity)
        boards = {"workspace": workspace(runs), "report": report(runs)}
        if options.dry_run:
            specs = {name: _spec(board) for name, board in boards.items()}
            show(json.dumps(specs, indent=1))
            return
        for name, board in boards.items():
            show(f"{name}: {board.save().url}")
    except ImportError:
        sys.exit(_error("wandb-workspaces is not installed; pip install 'cultural-sp[dashboard]'"))
    except Exception as error:  # of whatever class wandb, its network or a file has
        sys.exit(_error(reason_of(error)))


def _spec(board: Workspace | Report) -> Any:
    """Return what ``save`` would send; wandb-workspaces has no public function for it."""
    return json.loads(board._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def _title(runs: Runs) -> str:
    return f"cultural-sp: {', '.join(runs.groups)}"[:128]


def _error(text: str) -> int:
    show(f"error: {text}", error=True)
    return 2
