"""The panels of a dashboard at wandb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cultural_sp.reporting.wandb_tracking.report import LOSSES

SETTINGS = (
    *(f"optimizer.{key}" for key in ("kind", "population", "budget", "f1", "f2", "crossover")),
    *(f"soft_prompt.{key}" for key in ("space", "dim", "n_tokens", "scale")),
    "seed",
)
READ_FIRST = (
    "Loss: mean absolute difference to the region's scores; lower is better. The mark to beat is a respondent who "
    "always picks the middle option (midpoint), and held-out wordings tell what carries over."
)


def panels(
    dimensions: Sequence[str], wordings: Sequence[str], remarks: Sequence[str], unit: str
) -> dict[str, list[Any]]:
    """Return the panels by section, for a workspace or a report.

    Args:
        dimensions: dimensions of the survey.
        wordings: wordings that the runs have scores for.
        remarks: notes that must stand wherever numbers of these runs appear.
        unit: unit of scores and losses.
    """
    from wandb_workspaces.reports import v2 as wr

    region = {"groupby": wr.Config("goal.region"), "groupby_aggfunc": "mean"}
    spread = {**region, "groupby_rangefunc": "minmax"}
    methods = [
        wr.BarPlot(
            title=f"Loss by region and method, {wording.replace('_', ' ')} wording",
            metrics=[wr.SummaryMetric(f"loss/{wording}/{method}") for method in LOSSES],
            orientation="v",
            title_y=unit,
            **region,
        )
        for wording in wordings
    ]
    convergence = [
        wr.LinePlot(
            title=f"Best loss so far, {name}",
            x=f"{search}/evaluation",
            y=[f"{search}/best_l1"],
            title_y=unit,
            **spread,
        )
        for search, name in (("aligned", "search"), ("random_search", "random search"))
    ]
    by_dimension: list[Any] = []
    for dimension in dimensions:
        kinds = ("dimension/naive", "dimension/aligned", "target")
        by_dimension += [
            wr.BarPlot(
                title=f"{dimension}: plain model, aligned, target",
                metrics=[wr.SummaryMetric(f"{kind}/{dimension}") for kind in kinds],
                orientation="v",
                title_y=unit,
                **region,
            ),
            wr.LinePlot(
                title=f"{dimension}: best candidate minus target",
                x="aligned_generation/number",
                y=[f"aligned_generation/miss/{dimension}"],
                title_y=unit,
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
    return {
        "Read first": [wr.MarkdownPanel(markdown="\n\n".join([READ_FIRST, *remarks]))],
        "Methods": methods,
        "Convergence": convergence,
        "Dimensions": by_dimension,
        "Settings": settings,
    }
