"""A wandb workspace and a wandb report over the runs below a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cultural_sp.results import METHODS, load_result
from cultural_sp.run_folder import CONFIG, RESULT

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report
    from wandb_workspaces.workspaces import Workspace

SETTINGS = (
    *(f"optimizer.{key}" for key in ("kind", "population", "budget", "f1", "f2", "crossover")),
    *(f"soft_prompt.{key}" for key in ("space", "dim", "n_tokens", "scale")),
    "seed",
)


@dataclass(frozen=True)
class Runs:
    """What the finished runs below a folder have in common."""

    entity: str
    project: str
    groups: list[str]
    dimensions: list[str]
    wordings: list[str]


def runs_below(folder: Path, entity: str | None = None) -> Runs:
    """What to show of the finished runs below ``folder``; ``entity`` goes before the runs' own.

    Raises:
        ValueError: in one line, if there are none, or if they are in several projects or of no known entity.
    """
    groups: set[str] = set()
    places: set[tuple[str | None, str]] = set()
    dimensions: dict[str, None] = {}
    wordings: dict[str, None] = {}
    for path in sorted(folder.rglob(RESULT)):
        config = yaml.safe_load((path.parent / CONFIG).read_text(encoding="utf-8"))
        tracker = config.get("tracker", {})
        groups.add(tracker.get("group") or config["name"])
        places.add((entity or tracker.get("entity"), tracker.get("project", "cultural-sp")))
        result = load_result(path)
        dimensions |= dict.fromkeys(result.region["target"])
        wordings |= dict.fromkeys(record.wording for record in result.scores)
    if not places:
        raise ValueError(f"no finished run (no {RESULT}) in {folder}")
    if len(places) > 1:
        found = ", ".join(sorted(f"{e or '?'}/{p}" for e, p in places))
        raise ValueError(f"the runs in {folder} are in several projects ({found}); give a folder with one of them")
    ((owner, project),) = places
    if owner is None:
        raise ValueError("whose project it is is not known, as tracker.entity is null; give --entity NAME")
    return Runs(owner, project, sorted(groups), list(dimensions), list(wordings))


def panels(runs: Runs) -> dict[str, list[Any]]:
    """Section -> its panels, for the workspace and the report alike."""
    from wandb_workspaces.reports import v2 as wr

    region = {"groupby": wr.Config("region.code"), "groupby_aggfunc": "mean"}
    spread = {**region, "groupby_rangefunc": "minmax"}
    points = "index points"
    methods = [
        wr.BarPlot(
            title=f"Loss by region and method, {wording.replace('_', ' ')} wording",
            metrics=[wr.SummaryMetric(f"loss/{wording}/{method}") for method in METHODS],
            orientation="v",
            title_y=points,
            **region,
        )
        for wording in runs.wordings
    ]
    convergence = [
        wr.LinePlot(
            title=f"Best loss so far, {name}",
            x=f"{search}/evaluation",
            y=[f"{search}/best_l1"],
            title_y=points,
            **spread,
        )
        for search, name in (("aligned", "search"), ("random_search", "random search"))
    ]
    dimensions: list[Any] = []
    for dimension in runs.dimensions:
        kinds = ("dimension/naive", "dimension/aligned", "target")
        dimensions += [
            wr.BarPlot(
                title=f"{dimension}: plain model, aligned, target",
                metrics=[wr.SummaryMetric(f"{kind}/{dimension}") for kind in kinds],
                orientation="v",
                title_y=points,
                **region,
            ),
            wr.LinePlot(
                title=f"{dimension}: best candidate minus target",
                x="aligned_generation/number",
                y=[f"aligned_generation/miss/{dimension}"],
                title_y=points,
                **spread,
            ),
        ]
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(key), display_name=key) for key in SETTINGS]
    loss = wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric("loss/tuned/aligned"), display_name="loss")
    settings = [
        wr.ParallelCoordinatesPlot(title="Settings and loss", columns=[*columns, loss]),
        wr.LinePlot(
            title="Evaluations per second",
            x="aligned_generation/number",
            y=["aligned_generation/evaluations_per_second"],
        ),
    ]
    return {"Methods": methods, "Convergence": convergence, "Dimensions": dimensions, "Settings": settings}


def workspace(runs: Runs) -> Workspace:
    """The workspace, not yet saved."""
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    return ws.Workspace(
        entity=runs.entity,
        project=runs.project,
        name=_title(runs),
        sections=[ws.Section(name=name, panels=shown, is_open=True) for name, shown in panels(runs).items()],
        runset_settings=ws.RunsetSettings(filters=expr.And(expr.Metric("Group").isin(runs.groups))),
    )


def report(runs: Runs) -> Report:
    """The report, not yet saved."""
    from wandb_workspaces import expr
    from wandb_workspaces.reports import v2 as wr

    blocks: list[Any] = [
        wr.P(
            "Loss: mean absolute difference to the region's scores in index points; lower is better. The mark to beat is a "
            "respondent who always answers 3 (midpoint), and held-out wordings tell what carries over."
        )
    ]
    for name, shown in panels(runs).items():
        runset = wr.Runset(
            filters=expr.And(expr.Metric("Group").isin(runs.groups))
        )  # of the project that the report is in
        blocks += [wr.H2(name), wr.PanelGrid(runsets=[runset], panels=shown)]
    return wr.Report(entity=runs.entity, project=runs.project, title=_title(runs), blocks=blocks, width="fluid")


def main(arguments: Sequence[str] | None = None) -> None:
    """``dashboard.py FOLDER``: save both at wandb, or with ``--dry-run`` print them as JSON."""
    parser = argparse.ArgumentParser(
        prog="dashboard.py", description="A wandb workspace and report over finished runs."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with the runs, such as outputs/align")
    parser.add_argument("--entity", help="account or team at wandb, if the runs' tracker.entity is null")
    parser.add_argument("--dry-run", action="store_true", help="save nothing, and print what would be saved as JSON")
    given = parser.parse_args(arguments)
    try:
        runs = runs_below(given.folder, given.entity)
        made = {"workspace": workspace(runs), "report": report(runs)}
        if given.dry_run:
            specs = {name: _spec(board) for name, board in made.items()}
            print(json.dumps(specs, indent=1))
            return
        for name, board in made.items():
            print(f"{name}: {board.save().url}", flush=True)
    except ImportError:
        sys.exit(_error("wandb-workspaces is not installed; pip install 'cultural-sp[dashboard]'"))
    except Exception as error:  # of whatever class wandb, its network or a file has
        sys.exit(_error(" ".join(str(error).split())))


def _spec(board: Workspace | Report) -> Any:
    """What ``save`` sends; the package has no public way to it."""
    return json.loads(board._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def _title(runs: Runs) -> str:
    return f"cultural-sp: {', '.join(runs.groups)}"[:128]


def _error(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return 2
