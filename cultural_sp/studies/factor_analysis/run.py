"""Ask, analyse, and write what was found."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cultural_sp.config.studies import FactorConfig
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.reporting.factor_figures import correlations_figure, loadings_figure
from cultural_sp.reporting.factor_tables import markdown
from cultural_sp.reporting.figures import write_figure
from cultural_sp.runs.result import FACTORS
from cultural_sp.search.journal import jsonable
from cultural_sp.stats.factor.analysis import Analysis, analyse
from cultural_sp.stats.factor.answers import MeasurementModel, complete_answers
from cultural_sp.stats.factor.invariance import Invariance, invariance
from cultural_sp.studies.factor_analysis.scoring_export import scoring_of
from cultural_sp.studies.factor_analysis.sources import ANSWERS, PEOPLE, open_source
from cultural_sp.survey.instrument import Survey
from cultural_sp.utils.files import disk_errors, write_text

FOLDER, MEASUREMENT = "outputs", "measurement_model.yaml"


def factor_analysis(config: FactorConfig, shared: ModelCache | None = None) -> Path:
    """Analyse what the config names and return the folder of the results.

    Raises:
        ValueError: in one line, for bad input, answers of another analysis in the folder, and if the disk refuses a file.
    """
    source = open_source(config, ModelCache() if shared is None else shared)
    model = MeasurementModel(source.survey.dimensions)
    model.check()
    folder = Path(config.output_dir or config.run or FOLDER).expanduser() / config.name
    with disk_errors(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        if config.overwrite:
            (folder / ANSWERS).unlink(missing_ok=True)
    tables = source.answers(folder)
    analyses = [analyse(group, table, model) for group, table in tables.items()]
    same = _invariance(tables, analyses, model)
    text = markdown(source.title, analyses, same)
    if source.note:
        text += f"\nmodel: {source.note}\n"
    _clear(folder)
    for group, table in tables.items():
        write_text(folder / f"answers_{group}.csv", table.to_csv(index=False))
    found: dict[str, Any] = {"title": source.title, "note": source.note, "analyses": [asdict(a) for a in analyses]}
    found["invariance"] = None if same is None else asdict(same)
    write_text(folder / FACTORS, json.dumps(jsonable(found), indent=1, allow_nan=False) + "\n")
    _figures(folder / "figures", analyses, model)
    if config.answers is not None:
        people = next(a for a in analyses if a.group == PEOPLE)
        text += f"\n{_export(folder, source.survey, tables[PEOPLE], people)}\n"
    write_text(folder / "report.md", text)
    print(f"\n{text}", flush=True)
    return folder


def _clear(folder: Path) -> None:
    """Remove what an earlier analysis wrote and this one may not: a table of people, loadings where there is a fit."""
    with disk_errors(folder):
        for path in [*folder.glob("answers_*.csv"), *(folder / "figures").iterdir(), folder / MEASUREMENT]:
            path.unlink(missing_ok=True)


def _invariance(
    tables: dict[str, pd.DataFrame], analyses: list[Analysis], model: MeasurementModel
) -> Invariance | None:
    """Between the groups, if there are several and each can be analysed."""
    if len(analyses) < 2 or any(analysis.fit is None for analysis in analyses):
        return None
    return invariance({group: complete_answers(table, model.items)[0] for group, table in tables.items()}, model)


def _figures(folder: Path, analyses: list[Analysis], model: MeasurementModel) -> None:
    figures = {"correlations": correlations_figure(analyses, model)}
    there = [analysis for analysis in analyses if analysis.fit is not None]
    if there:
        figures["loadings"] = loadings_figure(there)
    with disk_errors(folder):
        for name, figure in figures.items():
            write_figure(folder, name, figure)


def _export(folder: Path, survey: Survey, answers: pd.DataFrame, analysis: Analysis) -> str:
    """Write the fitted measurement model as the scoring of a survey file; returns what became of it."""
    try:
        scoring = scoring_of(survey, answers, analysis)
    except ValueError as error:
        return f"no measurement model was written: {error}"
    own = {
        "name": f"{survey.name}_fitted",
        "title": f"{survey.title}, factor scores",
        "extends": survey.name,
        "scoring": scoring,
    }
    write_text(folder / MEASUREMENT, yaml.safe_dump(own, sort_keys=False, allow_unicode=True))
    return (
        f"{MEASUREMENT} scores the survey by this model: survey.instrument=PATH (set slope and offset for its targets)"
    )
