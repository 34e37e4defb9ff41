"""Configs of the programs that are made of runs, or stand beside them."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from cultural_sp.config.checks import check_above_zero, check_in_range, check_one_of, check_plain_name
from cultural_sp.config.groups import ModelConfig, SurveyConfig


@dataclass
class GeometryConfig:
    """Shape of a Llama whose weights are random: the speed of a model without its download."""

    hidden_size: int = MISSING
    """Width H of the embeddings."""
    intermediate_size: int = MISSING
    """Width inside of the feed-forward layers."""
    layers: int = MISSING
    """Number of decoder layers."""
    heads: int = MISSING
    """Number of attention heads."""
    kv_heads: int = MISSING
    """Number of heads that have keys and values of their own."""
    vocab_size: int = MISSING
    """Raised to the tokenizer's where that has more entries."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for key in ("hidden_size", "intermediate_size", "layers", "heads", "kv_heads", "vocab_size"):
            check_in_range(f"geometry.{key}", getattr(self, key), 1)
        if self.hidden_size % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError(
                f"geometry.heads={self.heads} does not go with geometry.hidden_size={self.hidden_size} and "
                f"geometry.kv_heads={self.kv_heads}; give heads of an even width, and a multiple of kv_heads"
            )


@dataclass
class BenchmarkConfig:
    """One benchmark."""

    model: ModelConfig = MISSING
    survey: SurveyConfig = MISSING
    geometry: GeometryConfig | None = None
    """Random weights of this shape instead of the model's own; its tokenizer stays."""
    n_tokens: int = 10
    """Virtual tokens."""
    max_new_tokens: int = 10
    """Of the method that lets the model write."""
    rounds: int = 3
    """Each round takes every method once, with a new candidate, in another order; a round to warm up comes first."""
    growth: bool = True
    """Also measure how the cost of the token tree grows."""
    name: str = "bench"
    """Folder of the tables."""
    seed: int = 0
    """Of the candidates, and of random weights."""
    output_dir: str = "outputs"
    """Folder above it."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_plain_name("name", self.name)
        for key in ("n_tokens", "max_new_tokens", "rounds"):
            check_in_range(key, getattr(self, key), 1)
        if self.survey.scoring != "number":
            raise ValueError(
                f"survey.scoring={self.survey.scoring} can't be benchmarked: the usual methods read one answer token; "
                "use survey=vsm13_number"
            )


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
        check_one_of("respondents.readout", self.readout, ("expected", "sample"))
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


@dataclass
class PaperConfig:
    """A grid of runs of the main job, one for each region and seed."""

    name: str = MISSING
    """Name of the profile, and of the folder in ``output_dir``."""
    regions: list[str] = MISSING
    """Options of the group ``region``."""
    seeds: list[int] = MISSING
    """Five make it possible for a claim about every region to hold."""
    settings: list[str] = MISSING
    """Overrides of ``experiments/align.py`` that make every run."""
    overrides: list[str] = field(default_factory=list)
    """More of them, which come after those of the profile."""
    geometry: GeometryConfig | None = None
    """The model's shape, for the plan of a machine that doesn't have its weights."""
    dry_run: bool = False
    """Only print the plan."""
    output_dir: str = "outputs/paper"
    """Folder above it."""

    def __post_init__(self) -> None:
        """Check that there is a grid."""
        for key in ("regions", "seeds"):
            values = getattr(self, key)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key}={values} is not allowed; give one or more, each once")

    @property
    def folder(self) -> Path:
        """Where runs and artefacts lie."""
        return Path(self.output_dir) / self.name


@dataclass
class StudyConfig:
    """A grid of runs of the main job."""

    models: list[str] = MISSING
    """Options of the group ``model``."""
    regions: list[str] = MISSING
    """Options of the group ``region``; each gets a search of its own."""
    seeds: list[int] = MISSING
    """Each repeats every search."""
    arms: dict[str, list[str]] = MISSING
    """Name of an arm -> the overrides that make it: a space, an optimizer, an objective."""
    chosen: str = MISSING
    """The arm of the table of methods, of the gradient reference, of the joint runs and of the warm starts."""
    joint: list[str] = field(default_factory=list)
    """Overrides of the chosen arm in a joint run over all regions, one per model and seed; none leaves it out."""
    warm_budget: int = 0
    """Evaluations of a search that starts from the journal of the region before it in the list; 0 leaves it out."""
    common: list[str] = field(default_factory=list)
    """Overrides of every run."""
    gradient_steps: int = 40
    """Steps of the gradient reference, with the first seed, as it draws nothing; 0 leaves it out."""
    name: str = "study"
    """Folder of the tables; runs lie beside it, in NAME-ARM."""
    output_dir: str = "outputs"
    """Folder above all runs."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_plain_name("name", self.name)
        for key in ("models", "regions", "seeds", "arms"):
            if not getattr(self, key):
                raise ValueError(f"{key} is empty; give at least one")
        if self.chosen not in self.arms:
            raise ValueError(f"chosen={self.chosen} is no arm; choose one of: {', '.join(self.arms)}")
        for key in ("gradient_steps", "warm_budget"):
            check_in_range(key, getattr(self, key), 0)
        if (self.joint or self.warm_budget) and len(self.regions) < 2:
            raise ValueError(f"regions={self.regions} is one region; joint runs and warm starts need two")


@dataclass
class ControlConfig:
    """One training."""

    model: ModelConfig = MISSING
    survey: SurveyConfig = MISSING
    rank: int = 16
    """Of the LoRA on all linear layers from ``first_layer`` on."""
    first_layer: int = 6
    """Number of layers, from the first one on, that stay as they are."""
    learning_rate: float = 2e-3
    """Of AdamW, at its highest."""
    steps: int = 800
    """Of learning to answer as described."""
    graded_steps: int = 300
    """Of learning positions between the poles, and its own where no description says anything."""
    name: str = "smollm2_135m_control"
    """Name of the adapter's folder."""
    seed: int = 0
    """Of the respondents and of the LoRA's first weights."""
    output_dir: str = "outputs/positive_control"
    """Folder above the training's own, seed-N."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_plain_name("name", self.name)
        check_in_range("rank", self.rank, 1)
        check_in_range("first_layer", self.first_layer, 0)
        check_in_range("steps", self.steps, 1)
        check_in_range("graded_steps", self.graded_steps, 1)
        check_above_zero("learning_rate", self.learning_rate)
        if self.survey.scoring != "label":
            raise ValueError(
                f"survey.scoring={self.survey.scoring} can't be trained: the control answers in words; use label"
            )
