"""The factor analysis program: collect answers, analyse them and write the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cultural_sp.config.studies import FactorConfig
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.reporting.factor_figures import correlations_figure, loadings_figure
from cultural_sp.reporting.factor_tables import markdown
from cultural_sp.reporting.figures import save_figure
from cultural_sp.runs.result import FACTORS_FILE
from cultural_sp.stats.factor.analysis import Analysis, analyse
from cultural_sp.stats.factor.answers import MeasurementModel, complete_answers
from cultural_sp.stats.factor.invariance import Invariance, invariance
from cultural_sp.studies.factor_analysis.scoring_export import scoring_entry
from cultural_sp.studies.factor_analysis.simulation import ANSWERS_FILE
from cultural_sp.studies.factor_analysis.sources import PEOPLE, AnswerSource, source_from_config
from cultural_sp.survey.instrument import Survey
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.serialize import jsonable
from cultural_sp.utils.terminal import show

MODEL_FILE = "measurement_model.yaml"


def factor_analysis(config: FactorConfig, cache: ModelCache | None = None) -> Path:
    """Analyse the configured answers, print the report and write all files.

    Returns:
        Folder of the files.

    Raises:
        ValueError: if the input is bad, the folder holds the answers of another analysis, or a file can't be written.
    """
    source = source_from_config(config, ModelCache() if cache is None else cache)
    model = MeasurementModel(source.survey.dimensions)
    model.check()
    folder = config.folder
    with disk_errors(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        if config.overwrite:
            (folder / ANSWERS_FILE).unlink(missing_ok=True)
    tables = source.collect(folder)
    analyses = [analyse(group, table, model) for group, table in tables.items()]
    comparison = _invariance(tables, analyses, model)
    report = markdown(source.title, analyses, comparison)
    if source.note:
        report += f"\nmodel: {source.note}\n"
    _remove_old_files(folder)
    for group, table in tables.items():
        write_text(folder / f"answers_{group}.csv", table.to_csv(index=False))
    write_text(folder / FACTORS_FILE, _as_json(source, analyses, comparison))
    _save_figures(folder / "figures", analyses, model)
    if config.answers is not None:
        human = next(analysis for analysis in analyses if analysis.group == PEOPLE)
        report += f"\n{_export_scoring(folder, source.survey, tables[PEOPLE], human)}\n"
    write_text(folder / "report.md", report)
    show(f"\n{report}")
    return folder


def _invariance(
    tables: dict[str, pd.DataFrame], analyses: Sequence[Analysis], model: MeasurementModel
) -> Invariance | None:
    """Test measurement invariance between the groups; None for a single group or if one has no fitted model."""
    if len(analyses) < 2 or any(analysis.fit is None for analysis in analyses):
        return None
    return invariance({group: complete_answers(table, model.items)[0] for group, table in tables.items()}, model)


def _remove_old_files(folder: Path) -> None:
    """Remove files of an earlier analysis that this one may not write again."""
    with disk_errors(folder):
        for path in [*folder.glob("answers_*.csv"), *(folder / "figures").iterdir(), folder / MODEL_FILE]:
            path.unlink(missing_ok=True)


def _as_json(source: AnswerSource, analyses: Sequence[Analysis], comparison: Invariance | None) -> str:
    content: dict[str, Any] = {
        "title": source.title,
        "note": source.note,
        "analyses": [asdict(analysis) for analysis in analyses],
        "invariance": None if comparison is None else asdict(comparison),
    }
    return json.dumps(jsonable(content), indent=1, allow_nan=False) + "\n"


def _save_figures(folder: Path, analyses: list[Analysis], model: MeasurementModel) -> None:
    figures = {"correlations": correlations_figure(analyses, model)}
    fitted = [analysis for analysis in analyses if analysis.fit is not None]
    if fitted:
        figures["loadings"] = loadings_figure(fitted)
    with disk_errors(folder):
        for name, figure in figures.items():
            save_figure(folder, name, figure)


def _export_scoring(folder: Path, survey: Survey, answers: pd.DataFrame, analysis: Analysis) -> str:
    """Write a survey file that scores by the fitted measurement model. Return a sentence about it for the report."""
    try:
        scoring = scoring_entry(survey, answers, analysis)
    except ValueError as error:
        return f"no measurement model was written: {error}"
    survey_file = {
        "name": f"{survey.name}_fitted",
        "title": f"{survey.title}, factor scores",
        "extends": survey.name,
        "scoring": scoring,
    }
    write_text(folder / MODEL_FILE, yaml.safe_dump(survey_file, sort_keys=False, allow_unicode=True))
    return (
        f"{MODEL_FILE} scores the survey by this model: survey.instrument=PATH (set slope and offset for its targets)"
    )
