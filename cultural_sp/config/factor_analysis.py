"""Config of the factor analysis."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, one_of
from cultural_sp.config.schema import ModelConfig, SurveyConfig


@dataclass
class RespondentsConfig:
    """A grid of simulated respondents: every combination of the traits is one, described in the system message."""

    prompt: str = MISSING
    """The system message; {TRAIT} stands for a level of the trait."""
    traits: dict[str, list[str]] = field(default_factory=dict)
    """Trait -> its levels, as the prompt says them."""
    number: int | None = 64
    """How many of the combinations are drawn, without replacement; null takes all."""
    readout: str = "expected"
    """expected: every respondent's mean answer; sample: one answer drawn per respondent and item."""
    seed: int = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        """Check that prompt and traits go together."""
        one_of("respondents.readout", self.readout, ("expected", "sample"))
        check_in_range("respondents.seed", self.seed, 0, 2**32 - 1)
        if self.number is not None:
            check_in_range("respondents.number", self.number, 1)
        try:
            named = {name for _, name, _, _ in string.Formatter().parse(self.prompt) if name is not None}
        except ValueError as error:
            raise ValueError(
                f"respondents.prompt={self.prompt!r} is no template ({error}); write traits as {{age}}"
            ) from error
        if named != set(self.traits):
            raise ValueError(
                f"respondents.prompt names the traits {', '.join(sorted(named)) or 'none'}, but respondents.traits has "
                f"{', '.join(sorted(self.traits)) or 'none'}; name each of them once"
            )
        empty = [trait for trait, levels in self.traits.items() if not levels or len(set(levels)) < len(levels)]
        if empty:
            raise ValueError(f"respondents.traits: {', '.join(empty)} needs at least one level, each only once")


@dataclass
class FactorConfig:
    """One analysis: of a run's model before and after alignment, of a plain model, of human answers, or of a model and people."""

    run: str | None = None
    """Run folder, or the folder of one region of a joint run; its model, survey and soft prompt are taken."""
    answers: str | None = None
    """CSV file of human answers: a row per respondent, a column per item of the survey, codes as numbers, empty if missing."""
    model: ModelConfig | None = None
    """Without a run: the model."""
    survey: SurveyConfig | None = None
    """Without a run: the survey."""
    respondents: RespondentsConfig = MISSING
    wording: str = "tuned"
    """Which wording is asked: tuned, held_out_1, ..."""
    name: str = "factor_analysis"
    """Folder below output_dir."""
    output_dir: str | None = None
    """null: the run's folder, whose report then shows the analysis, or outputs without a run."""
    overwrite: bool = False
    """Delete the answers of another analysis in that folder."""

    def __post_init__(self) -> None:
        """Check that it is said whose answers they are."""
        given = {"run": self.run, "model": self.model, "answers": self.answers}
        chosen = [key for key, value in given.items() if value is not None]
        if not chosen or {"run", "model"} <= set(chosen):
            raise ValueError(
                f"whose answers? {' and '.join(chosen) or 'nothing'} given; give one of run=FOLDER, model=OPTION with "
                "survey=OPTION, answers=FILE.csv with survey=OPTION; answers can also stand beside one of the others"
            )
        if (self.survey is None) != (self.run is not None):
            verb = (
                "takes the survey of the run, leave survey out" if self.run is not None else "needs survey=OPTION too"
            )
            raise ValueError(f"{chosen[0]}= {verb}")


def register_factor() -> None:
    """Put the schemas into Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name="base_factor_analysis", node=FactorConfig)
    node: Any = RespondentsConfig
    store.store(group="schema", name="respondents", node=node)
