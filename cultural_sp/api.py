"""What a notebook needs: load a model and a survey, score, align, load a result. Imported as ``import cultural_sp``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from numpy.typing import NDArray

from cultural_sp.alignment.run import align as run_alignment
from cultural_sp.config.compose import build, choices, config_folder, register
from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.load import load_model as load_configured
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.lm.readout import make_readout
from cultural_sp.lm.soft_prompt import prompt_for
from cultural_sp.lm.survey_respondent import Respondent
from cultural_sp.runs.result import Result, load_result
from cultural_sp.search.objective import l1_loss
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.regions import load_region
from cultural_sp.survey.scoring import dimension_scores

__all__ = ["Alignment", "Scores", "align", "load_model", "load_result", "load_survey", "score"]


@dataclass(frozen=True)
class Scores:
    """What one respondent's answers come to."""

    dimensions: dict[str, float]
    """Dimension -> score in the survey's unit."""
    item_means: dict[str, float]
    """Item -> mean code, averaged over option orders."""
    valid_mass: float
    """Mean probability given to all options together."""
    loss: float | None
    """Mean absolute difference to the region's scores, in index points; None without a region."""


@dataclass(frozen=True)
class Alignment:
    """A finished run."""

    results: list[Result]
    """One, or one per region of a joint run."""
    folder: Path

    @property
    def result(self) -> Result:
        """Its only result.

        Raises:
            ValueError: if it is a joint run of several regions.
        """
        if len(self.results) > 1:
            codes = ", ".join(result.region["code"] for result in self.results)
            raise ValueError(f"a joint run has a result per region ({codes}); use results")
        return self.results[0]

    @property
    def soft_prompt(self) -> Path:
        """Folder of its soft prompt, for :func:`score` and for PEFT; of a joint run see the regions' folders."""
        return (self.folder / self.result.region["code"] if self.result.joint else self.folder) / "soft_prompt"


def load_model(name: str, **settings: Any) -> LanguageModel:
    """Load and freeze a model.

    Args:
        name: an option of ``conf/model`` such as ``smollm2_135m_control``, or a hub id, a folder or a .gguf file.
        **settings: other settings of ``model``, such as ``dtype="bfloat16"``.

    Raises:
        ValueError: in one line, if a setting is unknown or the model can't be loaded.
    """
    known = name in choices("model")
    given: dict[str, Any] = vars(_composed([f"model={name}"]).model) if known else {"name_or_path": name}
    try:
        config = ModelConfig(**{**given, **settings})
    except TypeError as error:
        raise ValueError(f"model settings {sorted(settings)} don't fit: {error}") from error
    return load_configured(config)


def score(
    lm: LanguageModel,
    survey: Survey,
    soft_prompt: Path | str | NDArray[np.float32] | None = None,
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
        soft_prompt: a soft prompt's folder or [P, H] (placement ``prefix``); None is the plain model.
        region: ISO code of a region to compare with; None for none.
        vintage: edition of its scores; the survey's default when None.
        persona: system message; empty for none.
        wording: index of the wording.
        readout: ``expected`` or ``argmax``.
        constant: C of the index formulas; the survey's own when None.
        **settings: other settings of ``survey``, such as ``scoring="number"``.

    Raises:
        ValueError: in one line, if something isn't known or doesn't fit.
    """
    readouts = ("expected", "argmax")
    if readout not in readouts or not 0 <= wording < survey.n_wordings:
        raise ValueError(
            f"readout={readout!r}, wording={wording} is not allowed; choose readout expected or argmax and a wording from 0 to "
            f"{survey.n_wordings - 1}"
        )
    if constant is not None:
        survey = replace(survey, scoring=survey.scoring.with_constant(constant))
    prompt, placement = _prompt(lm, soft_prompt)
    try:
        config = SurveyConfig(**{"instrument": survey.name, **settings})
    except TypeError as error:
        raise ValueError(f"survey settings {sorted(settings)} don't fit: {error}") from error
    respondent = Respondent(lm, survey, config, wording=wording, placement=placement, persona=persona)
    answers = respondent.answer(prompt[None])
    read = make_readout(readout, 1, 0)
    means = np.mean([read(x, survey.codes())[0] for x in answers.log_probs.values()], axis=0)
    scores = dimension_scores(survey, means)
    loss = None if region is None else float(l1_loss(scores, load_region(survey, region, vintage, "region").target))
    return Scores(
        dimensions=dict(zip(survey.dimension_names, map(float, scores), strict=True)),
        item_means={item.id: float(mean) for item, mean in zip(survey.items, means, strict=True)},
        valid_mass=float(np.mean([x.mean() for x in answers.valid_mass.values()])),
        loss=loss,
    )


def align(*overrides: str) -> Alignment:
    """Run an alignment as ``experiments/align.py`` does, or read it if it is finished; an interrupted one goes on.

    Args:
        *overrides: those of the command line, such as ``"region=sa"`` and ``"optimizer.budget=40"``.

    Raises:
        ValueError: in one line, for bad input.
    """
    results, folder = run_alignment(_composed(list(overrides)), PROCESS_CACHE)
    return Alignment(results, folder)


def _prompt(lm: LanguageModel, given: Path | str | NDArray[np.float32] | None) -> tuple[NDArray[np.float32], str]:
    if given is None:
        return np.zeros((0, lm.hidden_size), dtype=np.float32), "prefix"
    if isinstance(given, np.ndarray):
        return given.astype(np.float32), "prefix"
    return prompt_for(lm, str(given))


def _composed(overrides: list[str]) -> AlignConfig:
    """The config of a run with these overrides.

    Raises:
        ValueError: in one line, for an override that doesn't fit.
    """
    from cultural_sp.config.error_messages import BAD_INPUT, one_line

    register()
    before = GlobalHydra.instance().hydra  # a notebook may have its own
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
            return build(compose("align", overrides=overrides), AlignConfig)
    except BAD_INPUT as error:
        raise ValueError(one_line(error)) from error
    finally:
        GlobalHydra.instance().hydra = before
