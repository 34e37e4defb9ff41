"""The groups of settings of a run. Ranges are checked when an object is built."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from cultural_sp.config.checks import (
    check_above_zero,
    check_date,
    check_in_range,
    check_one_of,
    check_plain_name,
    check_region_name,
)
from cultural_sp.config.registries import (
    DE_SETTINGS,
    GENERATE,
    INITIALISERS,
    OPTIMIZERS,
    READOUTS,
    SPACES,
    check_settings,
)

JOINT = "joint"

DTYPES = ("float32", "bfloat16", "float16", "auto")
PERSONA_INSTRUCTION = "Answer every question the way most people in {country} would."
PLACEMENTS = ("prefix", "system", "user")


@dataclass
class ModelConfig:
    """Which frozen causal language model answers, and how it is loaded."""

    name_or_path: str = MISSING
    """Hub id, local folder, .gguf file, or wheel:PACKAGE/FILE.gguf for a file inside an installed package."""
    revision: str | None = None
    """Branch, tag or commit of a hub model."""
    dtype: str = "float32"
    """float32, bfloat16 or float16, to which the weights are converted; auto is bfloat16 where that is fast, else float32."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ..."""
    device_map: str | None = None
    """auto, balanced or sequential spread a model over all GPUs; only with one process."""
    attn_implementation: str = "sdpa"
    """sdpa or eager; both apply the tree attention mask."""
    chat_template_args: dict[str, Any] = field(default_factory=dict)
    """Extra arguments of the chat template, such as enable_thinking: false."""
    template_date: str = "2024-07-26"
    """The date that a chat template shows if it reads the clock, as that of Llama 3.2 does; else losses would change daily."""
    trust_remote_code: bool = False
    """Run code from the model's repository; leave it off unless you have read that code."""
    batch_size: int | None = None
    """Candidates per forward pass; null fills the memory budget of a GPU, and takes the fastest of some sizes on a CPU."""
    adapter: str | None = None
    """Folder of a PEFT LoRA that is merged into the weights; ``wheel:PACKAGE/FOLDER`` for one inside an installed package."""
    note: str = ""
    """A note on this model that every table and page repeats."""
    memory_gib: float | None = None
    """GiB for the activations of a forward pass; null takes four fifths of a GPU's free memory, or a quarter of a CPU's."""
    compile: bool = False
    """Compile the layers for the search; needs a C++ compiler. docs/performance.md says how much time it saves."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_one_of("model.dtype", self.dtype, DTYPES)
        check_one_of("model.attn_implementation", self.attn_implementation, ("sdpa", "eager"))
        if self.batch_size is not None:
            check_in_range("model.batch_size", self.batch_size, 1)
        if self.device_map is not None:
            check_one_of("model.device_map", self.device_map, ("auto", "balanced", "sequential"))
        if self.memory_gib is not None:
            check_above_zero("model.memory_gib", self.memory_gib)
        check_date("model.template_date", self.template_date)
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise ValueError(f"model.device={self.device!r} is not allowed; choose auto, cpu, cuda, cuda:N or mps")
        if not self.name_or_path.strip():
            raise ValueError("model.name_or_path is empty; give a hub id, a folder or a .gguf file")

    @property
    def slug(self) -> str:
        """Short name for folders and tables; the adapter's name if there is an adapter."""
        name = Path(self.adapter or self.name_or_path).name.lower().removesuffix(".gguf")
        return re.sub(r"[^a-z0-9.]+", "-", name).strip("-.") or "model"


@dataclass
class RegionConfig:
    """The region whose scores are the target."""

    code: str = MISSING
    """ISO 3166 code or English name; joint for several regions."""
    codes: Any = None
    """With joint: a list of ISO codes or names, or all for every region with complete scores; otherwise null."""
    vintage: str | None = None
    """Edition of the target table; null takes the survey's default. A target has one vintage only."""

    def __post_init__(self) -> None:
        """Check that code and codes agree; codes and vintage become names of folders."""
        check_region_name("region.code", self.code)
        check_plain_name("region.vintage", self.vintage)
        if (self.code == JOINT) != (self.codes is not None):
            raise ValueError(
                f"region.codes={self.codes} does not go with region.code={self.code}; choose region=joint for several regions "
                "at once, or leave region.codes out"
            )
        if self.codes is None or self.codes == "all":
            return
        if not (isinstance(self.codes, list) and self.codes and all(isinstance(code, str) for code in self.codes)):
            raise ValueError(
                f"region.codes={self.codes} is not allowed; give a list of ISO codes such as [sa,us], or all"
            )
        check_region_name("region.codes", *self.codes)
        lower = [code.lower() for code in self.codes]
        repeated = sorted({code for code in lower if lower.count(code) > 1})
        if repeated:
            raise ValueError(f"region.codes names {', '.join(repeated)} more than once; name each region once")


@dataclass
class SurveyConfig:
    """The survey, and how the model is asked."""

    instrument: str = MISSING
    """Name of a shipped instrument or path of a .yaml file."""
    questionnaire: str | None = None
    """CSV or YAML file with a licensed questionnaire's texts for the tuned wording."""
    scoring: str = "label"
    """label: likelihood of an option's own text, no list shown; number: a numbered list is shown, its number is scored; list: the
    options are listed in words, and the likelihood of an option's text as the whole answer is scored."""
    calibrate: bool = True
    """With label and list: divide by the option's likelihood after a content-free question."""
    layout: str = "question_first"
    """With number and list: list before (legend_first) or after (question_first) the question."""
    option_order: str = "both"
    """With number and list: ascending, descending, or both and averaged."""
    persona_instruction: str = PERSONA_INSTRUCTION
    """Last sentence of the personas; {country} stands for the region's name. Empty for none."""
    pole_instruction: str = ""
    """Last sentence of the pole personas of the validity check. A capable model may need one, to answer as a persona."""
    tune_wordings: list[int] = field(default_factory=lambda: [0])
    """Places of the wordings that the search sees; its loss is that of the scores pooled over them."""

    def __post_init__(self) -> None:
        """Check choices."""
        check_one_of("survey.scoring", self.scoring, ("number", "label", "list"))
        check_one_of("survey.layout", self.layout, ("legend_first", "question_first"))
        check_one_of("survey.option_order", self.option_order, ("ascending", "descending", "both"))
        if (
            not self.tune_wordings
            or len(set(self.tune_wordings)) < len(self.tune_wordings)
            or min(self.tune_wordings) < 0
        ):
            raise ValueError(
                f"survey.tune_wordings={self.tune_wordings} is not allowed; give different numbers from 0, such as [0,1]"
            )


@dataclass
class ReadoutConfig:
    """How option probabilities become the answers that the search scores."""

    kind: str = MISSING
    """One of the options of the group; generate lets the model write, and parses its text."""
    n_respondents: int = 20
    """Respondents drawn by sample, and by generate when its temperature is above 0."""
    temperature: float = 0.0
    """Temperature of generate; 0 is greedy."""
    max_new_tokens: int = 4
    """Length of the texts of generate."""
    report_generate: bool = True
    """Also score generated text at the end (tuned wording, every method); the other readouts are always reported."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_one_of("readout.kind", self.kind, (*READOUTS, GENERATE))
        check_in_range("readout.n_respondents", self.n_respondents, 1)
        check_in_range("readout.temperature", self.temperature, 0)
        check_in_range("readout.max_new_tokens", self.max_new_tokens, 1)


@dataclass
class SoftPromptConfig:
    """The virtual tokens, where they start and in which space they are searched."""

    n_tokens: int = 10
    """Number of virtual tokens P."""
    init: str | None = "sampled_vocab"
    """Where the search starts; null with space=poles, which starts halfway between opposite statements."""
    init_text: str = ""
    """Text for init=text."""
    path: str | None = None
    """Folder for init=file."""
    placement: str = "prefix"
    """prefix (before everything, as PEFT does), system or user (at the start of that turn)."""
    space: str = "projection"
    """The coordinates that the search moves in."""
    dim: int = 64
    """Number of search coordinates of projection."""
    statements: str | None = None
    """With statements and poles: name of a shipped list or path of a .yaml file; null in the other spaces."""
    scale: float = 16.0
    """Length of the step z = 1, in units of the embedding matrix's root mean square coordinate; with poles, in units of the way
    from the middle to a pole."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_in_range("soft_prompt.n_tokens", self.n_tokens, 1, 1000)
        if self.init is not None:
            check_one_of("soft_prompt.init", self.init, INITIALISERS)
        check_one_of("soft_prompt.placement", self.placement, PLACEMENTS)
        check_one_of("soft_prompt.space", self.space, SPACES)
        check_in_range("soft_prompt.dim", self.dim, 1)
        check_above_zero("soft_prompt.scale", self.scale)
        space = SPACES[self.space]
        if (space.statements > 0) != (self.statements is not None):
            raise ValueError(
                f"soft_prompt.statements={self.statements} does not go with soft_prompt.space={self.space}; choose "
                "soft_prompt=statements or soft_prompt=poles, or leave both out"
            )
        if space.initial != (self.init is not None):
            raise ValueError(
                f"soft_prompt.init={self.init} does not go with soft_prompt.space={self.space}; a space that starts between "
                "statements needs null, the others one of: " + ", ".join(INITIALISERS)
            )


@dataclass
class OptimizerConfig:
    """How the space is searched. Settings that the kind doesn't have must be null."""

    kind: str = MISSING
    """One of the options of the group ``optimizer``; optimizer=KIND also fills in the kind's own settings."""
    population: int = 20
    """Candidates of a generation, for random search too."""
    f1: float | None = None
    """F1 of de and de_twopoints: donor = x + F1 (a - b) + F2 (best - x)."""
    f2: float | None = None
    """F2 of de and de_twopoints."""
    crossover: float | None = None
    """With de: probability that a coordinate comes from the donor."""
    budget: int = 80
    """Evaluations of the search, of all regions together; random search gets the same number."""
    wordings: str = "all"
    """all: a candidate takes the survey in every tuned wording; one: in one of them, and the one that seems best of each
    generation in all. With all, a candidate is one evaluation; with one, each wording that a candidate is asked is one."""
    finalists: int = 0
    """Best candidates of each search that are compared on the wordings to select on; 0 to take the best one of the tuned ones."""
    warm_start: Any = None
    """Run folders, or folders above several, whose evaluations seed the search. Random search never sees them, so the baseline
    stays comparable."""
    seed: int = 0
    """Seed of the optimizer's draws; follows the run's seed."""
    max_failed_share: float = 0.5
    """End the run if more than this share of a search's evaluations has no loss."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_one_of("optimizer.kind", self.kind, OPTIMIZERS)
        check_in_range("optimizer.population", self.population, 4)
        check_in_range("optimizer.budget", self.budget, 1)
        check_one_of("optimizer.wordings", self.wordings, ("all", "one"))
        check_in_range("optimizer.finalists", self.finalists, 0)
        check_in_range("optimizer.seed", self.seed, 0, 2**32 - 1)
        check_in_range("optimizer.max_failed_share", self.max_failed_share, 0, 1)
        self.warm_start = [self.warm_start] if isinstance(self.warm_start, str) else self.warm_start
        runs = self.warm_start
        if not (
            runs is None or (isinstance(runs, list) and runs and all(isinstance(run, str) and run for run in runs))
        ):
            raise ValueError(f"optimizer.warm_start={runs} is not allowed; give a run folder, a list of them, or null")
        check_settings(self.kind, {key: getattr(self, key) for key in DE_SETTINGS})


@dataclass
class ObjectiveConfig:
    """The loss of the search. Tables and figures always report the mean absolute difference."""

    kind: str = "l1"
    """l1: mean absolute difference between dimension scores and targets; squared: mean squared difference."""
    valid_mass_weight: float = 0.0
    """Penalty, in the loss's unit, per factor of ten by which the mean valid mass falls below the initial prompt's."""
    argmax_weight: float = 0.0
    """Weight of the same loss for the likeliest answers: probabilities can change while the likeliest answers stay."""
    constant: float | None = None
    """C of index formulas; null takes the survey's own. With 50, as in VSM 2013, a respondent who always answers 3 scores 50."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_one_of("objective.kind", self.kind, ("l1", "squared"))
        check_in_range("objective.valid_mass_weight", self.valid_mass_weight, 0)
        check_in_range("objective.argmax_weight", self.argmax_weight, 0)
        if self.constant is not None:
            check_in_range("objective.constant", self.constant, -10_000, 10_000)


@dataclass
class KnowledgeConfig:
    """Questions on cultural knowledge at the end of a run; they play no part in the search."""

    kind: str = "none"
    """none, own (our own questions) or culturalbench."""
    source: str = ""
    """With culturalbench: hub id, or a folder with its CSV or parquet files; with own: another file of that format, or empty."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    countries: list[str] | None = None
    """Names of the countries in the questions, as the set spells them; null for all."""

    def __post_init__(self) -> None:
        """Check choices."""
        check_one_of("knowledge.kind", self.kind, ("none", "own", "culturalbench"))
        if self.kind == "culturalbench" and not self.source:
            raise ValueError("knowledge.source is empty; give a hub id or a folder, or choose knowledge=culturalbench")
        if self.countries == []:
            raise ValueError("knowledge.countries is empty; give names, null for all, or choose knowledge=none")
        unused = [key for key in ("source", "revision", "countries") if getattr(self, key)]
        if self.kind == "none" and unused:
            raise ValueError(
                f"knowledge.{unused[0]}={getattr(self, unused[0])} does not go with knowledge.kind=none; choose "
                "knowledge=own or knowledge=culturalbench"
            )


@dataclass
class TrackerConfig:
    """Where a run is tracked besides its own files; it changes no result."""

    mode: str = MISSING
    """offline: a wandb log below the run folder, to be uploaded later; online: uploaded during the run; disabled."""
    project: str = "cultural-sp"
    """Project at wandb that the runs go into."""
    entity: str | None = None
    """Account or team at wandb; null is your own default."""
    group: str | None = None
    """Group of the run at wandb; null takes the sweep's name, or the run's name outside of sweeps."""

    def __post_init__(self) -> None:
        """Check choices."""
        check_one_of("tracker.mode", self.mode, ("offline", "online", "disabled"))
        if not re.fullmatch(r"[^/\\#?%:]{1,128}", self.project):
            raise ValueError(
                f"tracker.project={self.project!r} is not allowed; use 1 to 128 characters without / \\ # ? % and :"
            )
