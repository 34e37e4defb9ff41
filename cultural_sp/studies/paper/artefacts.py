"""The files that a reproduction ends with, each written from the folders of finished runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cultural_sp.studies.paper.claims import judge, markdown
from cultural_sp.studies.paper.factors import write_factors
from cultural_sp.studies.paper.figures import FIGURES, save_figure
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.studies.paper.table import write_table
from cultural_sp.utils.files import write_text


def write_claims(runs: Runs, folder: Path) -> None:
    """Write ``claims.md``: every public claim of the paper with its verdict."""
    head = [
        "# Claims of arXiv 2503.16094, tested",
        runs.caption() + ".",
        *(f"**{note}**" for note in runs.notes),
        "A claim *holds* if its test is significant at 0.05, *fails* if the opposite is, and otherwise *can't be told*. "
        "Verdicts are about this model and these settings.",
    ]
    write_text(folder / "claims.md", "\n\n".join([*head, markdown(judge(runs.results, runs.setting, runs.readout))]))


ARTEFACTS: dict[str, Callable[[Runs, Path], None]] = {
    "table_1": write_table,
    "claims": write_claims,
    "factor_analysis": write_factors,
    **{f"figure_{name}": partial(save_figure, name) for name in FIGURES},
}
"""Name -> writes the artefact's files into a folder; the factor analysis writes none if no run has one."""
