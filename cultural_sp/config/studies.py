"""Configs of the studies: programs made of runs, and programs about the model, the survey or human answers."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from cultural_sp.config.checks import check_above_zero, check_in_range, check_one_of, check_plain_name
from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.config.regions import region_option
from cultural_sp.config.schema import AlignConfig

AUTO = "auto"


@dataclass
class ValidityConfig(AlignConfig):
    """One validity check, with the settings of a run."""

    rendering: str = "configured"
    """configured: as the group survey says; auto: the most valid of several ways of asking, chosen on wordings to select on."""

    def __post_init__(self) -> None:
        """Check the choice."""
        super().__post_init__()
        check_one_of("rendering", self.rendering, ("configured", AUTO))


@dataclass
class GeometryConfig:
    """Shape of a Llama whose weights are random: the speed of a model without its download."""

    hidden_size: int = MISSING
    """Width H of the embeddings."""
    intermediate_size: int = MISSING
    """Inner width of the feed-forward layers."""
    layers: int = MISSING
    """Number of decoder layers."""
    heads: int = MISSING
    """Number of attention heads."""
    kv_heads: int = MISSING
    """Number of key-value heads; the attention heads share them."""
    vocab_size: int = MISSING
    """Entries of the vocabulary; raised to the tokenizer's number if that is larger."""

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
    """Tokens that the model writes in the method generate."""
    rounds: int = 3
    """Rounds after one to warm up. Each measures every method once, with a new candidate, in another order."""
    growth: bool = True
    """Also measure how the cost of the token tree grows."""
    name: str = "bench"
    """Folder of the tables."""
    seed: int = 0
    """Seed of the candidates, and of random weights."""
    output_dir: str = "outputs"
    """Folder above the tables."""

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

    @property
    def folder(self) -> Path:
        """The folder of the tables."""
        return Path(self.output_dir) / self.name


@dataclass
class GpuCheckConfig(BenchmarkConfig):
    """One check of the program on a GPU; the benchmark is a part of it."""

    evaluations: int = 1000
    """Evaluations in a row, and budget of the complete run."""
    population: int = 20
    """Candidates per pass there."""
    batch_sizes: list[int] = field(default_factory=lambda: [1, 4, 20, 64])
    """Candidates per pass that are compared."""
    kinds: list[str] = field(default_factory=lambda: ["llama", "qwen3", "gemma3_text"])
    """Types of small random models on which the token tree is compared with separate passes."""
    parts: list[str] | None = None
    """Parts of the check, in order; null takes all, the most valuable first."""
    minutes: float = 10.0
    """Time after which no further part starts."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_in_range("evaluations", self.evaluations, 1)
        check_in_range("population", self.population, 4)
        check_above_zero("minutes", self.minutes)
        for size in self.batch_sizes:
            check_in_range("batch_sizes", size, 1)


@dataclass
class RespondentsConfig:
    """A grid of simulated respondents: every combination of the traits is one, described in the system message."""

    prompt: str = MISSING
    """The system message; {TRAIT} stands for a level of the trait."""
    traits: dict[str, list[str]] = field(default_factory=dict)
    """Trait -> its levels, as the prompt says them."""
    number: int | None = 64
    """Number of combinations, drawn without replacement; null takes all."""
    readout: str = "expected"
    """expected: every respondent's mean answer; sample: one answer drawn per respondent and item."""
    seed: int = 0
    """Seed of the draws."""

    def __post_init__(self) -> None:
        """Check that prompt and traits go together."""
        check_one_of("respondents.readout", self.readout, ("expected", "sample"))
        check_in_range("respondents.seed", self.seed, 0, 2**32 - 1)
        if self.number is not None:
            check_in_range("respondents.number", self.number, 1)
        try:
            placeholders = {name for _, name, _, _ in string.Formatter().parse(self.prompt) if name is not None}
        except ValueError as error:
            raise ValueError(
                f"respondents.prompt={self.prompt!r} is no template ({error}); write traits as {{age}}"
            ) from error
        if placeholders != set(self.traits):
            raise ValueError(
                f"respondents.prompt names the traits {', '.join(sorted(placeholders)) or 'none'}, but respondents.traits has "
                f"{', '.join(sorted(self.traits)) or 'none'}; name each of them once"
            )
        empty = [trait for trait, levels in self.traits.items() if not levels or len(set(levels)) < len(levels)]
        if empty:
            raise ValueError(f"respondents.traits: {', '.join(empty)} needs at least one level, each only once")


@dataclass
class FactorConfig:
    """One analysis: of a run's model before and after alignment, a plain model, or of human answers, alone or with a model."""

    run: str | None = None
    """Run folder, or the folder of one region of a joint run; it brings model, survey and soft prompt."""
    answers: str | None = None
    """CSV file of human answers: a row per respondent, a column per item of the survey, codes as numbers, empty if missing."""
    model: ModelConfig | None = None
    """The model, without a run."""
    survey: SurveyConfig | None = None
    """The survey, without a run."""
    respondents: RespondentsConfig = MISSING
    wording: str = "tuned"
    """Wording of the items: tuned, held_out_1, ..."""
    name: str = "factor_analysis"
    """Folder below output_dir."""
    output_dir: str | None = None
    """Folder above name; null takes the run's folder, whose report then includes the analysis, or outputs without a run."""
    overwrite: bool = False
    """Delete the answers of another analysis in that folder."""

    def __post_init__(self) -> None:
        """Check that the config says whose answers are analysed."""
        sources = {"run": self.run, "model": self.model, "answers": self.answers}
        chosen = [key for key, value in sources.items() if value is not None]
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

    @property
    def folder(self) -> Path:
        """The folder of the analysis."""
        return Path(self.output_dir or self.run or "outputs").expanduser() / self.name


@dataclass
class PaperConfig:
    """A grid of runs, one for each region and seed."""

    name: str = MISSING
    """Name of the profile, and of the folder in ``output_dir``."""
    regions: list[str] = MISSING
    """Options of the group ``region``."""
    seeds: list[int] = MISSING
    """Seeds of the runs; a claim about every region needs five to hold."""
    settings: list[str] = MISSING
    """Overrides of every run."""
    overrides: list[str] = field(default_factory=list)
    """More overrides of every run, after the profile's."""
    geometry: GeometryConfig | None = None
    """The model's shape, for a plan on a machine without its weights."""
    dry_run: bool = False
    """Print the plan and stop."""
    output_dir: str = "outputs/paper"
    """Folder above the profile's folder."""

    def __post_init__(self) -> None:
        """Check that there is a grid."""
        check_plain_name("name", self.name)
        self.regions = [region_option(name) for name in self.regions]
        for key in ("regions", "seeds"):
            values = getattr(self, key)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key}={values} is not allowed; give one or more, each once")

    @property
    def folder(self) -> Path:
        """The folder of runs and artefacts."""
        return Path(self.output_dir) / self.name


@dataclass
class StudyConfig:
    """A grid of runs: every arm for every model, region and seed."""

    models: list[str] = MISSING
    """Options of the group ``model``."""
    regions: list[str] = MISSING
    """Options of the group ``region``; each gets its own search."""
    seeds: list[int] = MISSING
    """Seeds; every search is repeated with each."""
    arms: dict[str, list[str]] = MISSING
    """Name of an arm -> its overrides: a space, an optimizer, an objective."""
    chosen: str = MISSING
    """The arm of the table of methods, of the gradient reference, of the joint runs and of the warm starts."""
    joint: list[str] = field(default_factory=list)
    """Overrides of the chosen arm in joint runs over all regions, one run per model and seed; an empty list leaves them out."""
    warm_budget: int = 0
    """Evaluations of the searches that start from the journal of the previous region in the list; 0 leaves them out."""
    common: list[str] = field(default_factory=list)
    """Overrides of every run."""
    gradient_steps: int = 40
    """Steps of the gradient reference, with the first seed only, as it draws nothing; 0 leaves it out."""
    name: str = "study"
    """Folder of the tables; the runs lie beside it, in NAME-ARM."""
    output_dir: str = "outputs"
    """Folder above all runs."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_plain_name("name", self.name)
        self.regions = [region_option(name) for name in self.regions]
        for key in ("models", "regions", "seeds", "arms"):
            if not getattr(self, key):
                raise ValueError(f"{key} is empty; give at least one")
        if self.chosen not in self.arms:
            raise ValueError(f"chosen={self.chosen} is no arm; choose one of: {', '.join(self.arms)}")
        for key in ("gradient_steps", "warm_budget"):
            check_in_range(key, getattr(self, key), 0)
        if (self.joint or self.warm_budget) and len(self.regions) < 2:
            raise ValueError(f"regions={self.regions} is one region; joint runs and warm starts need two")

    @property
    def folder(self) -> Path:
        """The folder of the tables."""
        return Path(self.output_dir) / self.name


@dataclass
class ControlConfig:
    """One training of the positive control."""

    model: ModelConfig = MISSING
    survey: SurveyConfig = MISSING
    rank: int = 16
    """Rank of the LoRA, on all linear layers from ``first_layer`` on."""
    first_layer: int = 6
    """First layer with a LoRA; the layers below stay unchanged."""
    learning_rate: float = 2e-3
    """Highest learning rate of AdamW."""
    steps: int = 800
    """Steps of the first stage: to answer as a description says."""
    graded_steps: int = 300
    """Steps of the second stage: positions between the poles, and the model's own answers without a description."""
    name: str = "smollm2_135m_control"
    """Name of the adapter's folder."""
    seed: int = 0
    """Seed of the respondents and of the LoRA's first weights."""
    output_dir: str = "outputs/positive_control"
    """Folder above the training's folder, seed-N."""

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

    @property
    def folder(self) -> Path:
        """The folder of the training."""
        return Path(self.output_dir) / f"seed-{self.seed}"
