"""The Python interface: load a model and a survey, score, align, load a result. Use it as ``import cultural_sp``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.alignment.run import align as run_alignment
from cultural_sp.config.compose import group_options
from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.config.overrides import align_config
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import load_model as load_configured_model
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.lm.readout import make_readout
from cultural_sp.lm.soft_prompt import prompt_for
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.runs.inputs import with_region_codes
from cultural_sp.runs.result import Result, load_result
from cultural_sp.search.objective import l1_loss
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.regions import load_region
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.types import SoftPrompt

__all__ = ["Alignment", "Scores", "align", "load_model", "load_result", "load_survey", "score"]


@dataclass(frozen=True)
class Scores:
    """Scores of one respondent."""

    dimensions: dict[str, float]
    """Dimension -> score in the unit of the survey."""
    item_means: dict[str, float]
    """Item -> mean code, averaged over option orders."""
    valid_mass: float
    """Mean total probability of an item's options."""
    loss: float | None
    """Mean absolute difference to the region's scores, in the unit of the survey; None without a region."""


@dataclass(frozen=True)
class Alignment:
    """A finished run."""

    results: list[Result]
    """One result, or one per region of a joint run."""
    folder: Path
    """Run folder."""

    @property
    def result(self) -> Result:
        """The only result.

        Raises:
            ValueError: if this is a joint run of several regions.
        """
        if len(self.results) > 1:
            codes = ", ".join(result.region.code for result in self.results)
            raise ValueError(f"a joint run has a result per region ({codes}); use results")
        return self.results[0]

    @property
    def soft_prompt(self) -> Path:
        """Folder of the soft prompt, for :func:`score` and for PEFT.

        In a joint run of several regions each soft prompt is in ``folder / CODE / "soft_prompt"``.

        Raises:
            ValueError: if this is a joint run of several regions.
        """
        return (self.folder / self.result.region.code if self.result.joint else self.folder) / "soft_prompt"


def load_model(name: str, **settings: Any) -> LanguageModel:
    """Load and freeze a model.

    Args:
        name: an option of ``conf/model`` such as ``smollm2_135m_control``, a hub id, a folder, or a .gguf file.
        **settings: other settings of the group ``model``, such as ``dtype="bfloat16"``.

    Raises:
        ValueError: if a setting is unknown or the model can't be loaded.
    """
    is_option = name in group_options("model")
    defaults: dict[str, Any] = vars(align_config([f"model={name}"]).model) if is_option else {"name_or_path": name}
    try:
        config = ModelConfig(**{**defaults, **settings})
    except TypeError as error:
        raise ValueError(f"model settings {sorted(settings)} don't fit: {error}") from error
    return load_configured_model(config)


def score(
    lm: LanguageModel,
    survey: Survey,
    soft_prompt: Path | str | SoftPrompt | None = None,
    *,
    region: str | None = None,
    vintage: str | None = None,
    persona: str = "",
    wording: int = 0,
    readout: str = "expected",
    constant: float | None = None,
    **settings: Any,
) -> Scores:
    """Let a model take a survey.

    Args:
        lm: the model.
        survey: the instrument.
        soft_prompt: folder of a soft prompt, or an array [P, H], whose placement is ``prefix``; None is the plain model.
        region: ISO code or English name of the region for the loss; None for no loss.
        vintage: edition of the region's scores; None for the survey's default.
        persona: system message; empty for none.
        wording: index of the wording.
        readout: ``expected`` or ``argmax``.
        constant: C of the index formulas; None for the survey's own.
        **settings: other settings of the group ``survey``, such as ``scoring="number"``.

    Raises:
        ValueError: if an argument is unknown or doesn't fit.
    """
    if readout not in ("expected", "argmax") or not 0 <= wording < survey.n_wordings:
        raise ValueError(
            f"readout={readout!r}, wording={wording} is not allowed; choose readout expected or argmax and a wording from 0 to "
            f"{survey.n_wordings - 1}"
        )
    if constant is not None:
        survey = replace(survey, scoring=survey.scoring.with_constant(constant))
    prompt, placement = _prompt_and_placement(lm, soft_prompt)
    config = _survey_config(survey, settings)
    respondent = SurveyRespondent(
        lm, survey, config, Condition(wordings=(wording,), placement=placement, persona=persona)
    )
    answers = respondent.answer(prompt[None])
    read = make_readout(readout, 1, 0)
    means = np.mean([read(x, survey.codes())[0] for x in answers.log_probs.values()], axis=0)
    scores = dimension_scores(survey.scoring, means)
    loss = None if region is None else float(l1_loss(scores, load_region(survey, region, vintage, "region").target))
    return Scores(
        dimensions=dict(zip(survey.dimension_names, map(float, scores), strict=True)),
        item_means={item.id: float(mean) for item, mean in zip(survey.items, means, strict=True)},
        valid_mass=float(np.mean([x.mean() for x in answers.valid_mass.values()])),
        loss=loss,
    )


def align(*overrides: str) -> Alignment:
    """Run an alignment as ``cultural-sp align`` does. A finished run is only read; an interrupted one resumes.

    Args:
        *overrides: as on the command line, such as ``"region=sa"`` and ``"optimizer.budget=40"``.

    Raises:
        ValueError: if the input is bad.
    """
    results, folder = run_alignment(with_region_codes(align_config(overrides)), PROCESS_CACHE)
    return Alignment(results, folder)


def _survey_config(survey: Survey, settings: Mapping[str, Any]) -> SurveyConfig:
    try:
        return SurveyConfig(**{"instrument": survey.name, **settings})
    except TypeError as error:
        raise ValueError(f"survey settings {sorted(settings)} don't fit: {error}") from error


def _prompt_and_placement(lm: LanguageModel, source: Path | str | SoftPrompt | None) -> tuple[SoftPrompt, str]:
    if source is None:
        return lm.no_soft_prompt, "prefix"
    if isinstance(source, np.ndarray):
        return source.astype(np.float32), "prefix"
    return prompt_for(lm, str(source))
