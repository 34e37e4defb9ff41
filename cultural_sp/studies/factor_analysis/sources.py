"""Whose answers are analysed: those of a run's model before and after alignment, of a plain model, of people in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose
from numpy.typing import NDArray
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config.compose import build
from cultural_sp.config.groups import SurveyConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import FactorConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.lm.load import load_model, weights_hash
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import configured_prompt
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.runs.result import load_result
from cultural_sp.search.journal import fingerprint
from cultural_sp.studies.factor_analysis.kept import RespondentCache
from cultural_sp.studies.factor_analysis.respondents import Simulated, answer_of, draw
from cultural_sp.survey.instrument import Survey
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.progress import progress

ANSWERS, PEOPLE = "answers.jsonl", "people"


@dataclass(frozen=True)
class Source:
    """Where answers come from, before anything is asked."""

    title: str
    survey: Survey
    note: str
    """What must be said about the model."""
    answers: Callable[[Path], dict[str, pd.DataFrame]]
    """Folder of kept answers -> group -> a row per respondent: traits, then items."""


def open_source(config: FactorConfig, shared: ModelCache) -> Source:
    """What the config names.

    Raises:
        ValueError: in one line, if it can't be read.
    """
    folder = None if config.run is None else Path(config.run).expanduser()
    run = _plain(config) if folder is None else _run_config(folder)
    survey = survey_from_config(run)
    people = {} if config.answers is None else {PEOPLE: _people(Path(config.answers).expanduser(), survey)}
    if folder is None and config.model is None:
        return Source(f"{config.answers} on {survey.title}", survey, "", lambda _: people)
    respondents = draw(config.respondents)

    def answers(kept_in: Path) -> dict[str, pd.DataFrame]:
        lm = shared.model(run.model, load_model)
        evaluator = SurveyEvaluator(lm, survey, run, shared)
        if config.wording not in evaluator.wordings:
            raise ValueError(f"wording={config.wording} is unknown; allowed: {', '.join(evaluator.wordings)}")
        groups: dict[str, SoftPrompt | None] = {"model": None}
        if folder is not None:
            tuned = replace(run.soft_prompt, path=str(folder / "soft_prompt"))
            groups = {"before": None, "after": configured_prompt(tuned, lm)}
        asked = {
            "weights_hash": weights_hash(lm.model),
            "survey_hash": survey.fingerprint(),
            "chat_template_hash": lm.chat_template_hash,
            "asked": asdict(run.survey),
            "wording": config.wording,
            "placement": run.soft_prompt.placement,
            "respondents": asdict(config.respondents),
            "soft_prompts": {name: None if p is None else fingerprint(p) for name, p in groups.items()},
        }
        return _asked(RespondentCache(kept_in / ANSWERS, asked), groups, respondents, evaluator, config) | people

    title = f"{run.model.slug} on {survey.title}" + ("" if folder is None else f", aligned to {_goal(folder)}")
    return Source(title + (f", beside {config.answers}" if people else ""), survey, run.model.note, answers)


def _goal(folder: Path) -> str:
    return str(load_result(folder / RESULT).region["country"])


def _asked(
    kept: RespondentCache,
    groups: dict[str, SoftPrompt | None],
    respondents: Sequence[Simulated],
    evaluator: SurveyEvaluator,
    config: FactorConfig,
) -> dict[str, pd.DataFrame]:
    """The answers of every group; asked now where they aren't kept."""
    tables, items = {}, evaluator.survey.item_ids
    with progress("respondents", len(groups) * len(respondents)) as bar:
        for group, prompt in groups.items():
            rows = []
            for place, simulated in enumerate(respondents):

                def ask(simulated: Simulated = simulated, prompt: SoftPrompt | None = prompt) -> NDArray[np.float64]:
                    return answer_of(evaluator, simulated, config.wording, config.respondents.readout, prompt)

                given = kept.answers(group, place, ask)
                rows.append({**simulated.traits, **dict(zip(items, given.tolist(), strict=True))})
                bar.update()
            tables[group] = pd.DataFrame(rows)
    return tables


def _people(path: Path, survey: Survey) -> pd.DataFrame:
    """Answers in a file, refused where they can't be answers to this survey.

    Codes for "don't know" and the like are the usual mistake, and they would pass for answers.
    """
    with _one_line(f"answers={path}"):
        table = pd.read_csv(path)
    for item in survey.items:
        if item.id in table and pd.api.types.is_numeric_dtype(table[item.id]):
            low, high = item.scale.codes[0], item.scale.codes[-1]
            beyond = sorted(set(table[item.id].dropna()[lambda x, a=low, b=high: (x < a) | (x > b)]))
            if beyond:
                raise ValueError(
                    f"answers={path}: item {item.id} has the answer {beyond[0]:g}, but its codes run from {low:g} to {high:g}; "
                    "leave cells empty where an answer is missing"
                )
    return table


def _plain(config: FactorConfig) -> AlignConfig:
    """The config of a run that would ask this model this survey."""
    run = compose("align")
    if config.model is not None:
        run.model = OmegaConf.structured(config.model)
    assert isinstance(config.survey, SurveyConfig)
    run.survey = OmegaConf.structured(config.survey)
    return build(run, AlignConfig)


def _run_config(folder: Path) -> AlignConfig:
    """The config of a run folder, or of the joint run that a region's folder is part of."""
    if not (folder / "soft_prompt").is_dir():
        regions = sorted(path.parent.name for path in folder.glob(f"*/{RESULT}"))
        inside = f"; it is a joint run, give the folder of one region: {', '.join(regions)}" if regions else ""
        raise ValueError(f"run={folder} holds no soft_prompt folder, so it is no finished run{inside}")
    file = next((path for path in (folder / CONFIG, folder.parent / CONFIG) if path.is_file()), folder / CONFIG)
    with _one_line(f"run={folder}: {file.name}"):
        own, usual = OmegaConf.load(file), compose("align")
        later = {key: usual[key] for key in usual if key not in own}  # groups that the run's version didn't have
        loaded: Any = OmegaConf.merge(OmegaConf.structured(AlignConfig), own, later)
        return build(loaded, AlignConfig)


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        UnicodeDecodeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        OmegaConfBaseException,
    ) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise ValueError(f"{what} can't be read ({reason})") from error
