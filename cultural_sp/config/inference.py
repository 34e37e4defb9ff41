"""Configs of the programs that use a finished soft prompt, and of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, check_one_of
from cultural_sp.config.schema import AlignConfig

EXPORT_FORMATS = ("model", "peft", "lm_eval", "prompt_embeds")


@dataclass
class AskConfig(AlignConfig):
    """Questions in the user's own words; of the run's settings, model and soft prompt count."""

    question: str = ""
    """One question; empty asks for them, one after the other, until an empty line."""
    beside: list[str] = field(default_factory=list)
    """Folders of further soft prompts for the same model, such as those of other regions, answered beside the first."""
    max_new_tokens: int = 100
    """Where an answer is cut off."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_in_range("max_new_tokens", self.max_new_tokens, 1)


@dataclass
class SideEffectsConfig(AlignConfig):
    """One measurement of a soft prompt; of the run's settings, model, survey and soft prompt count."""

    max_new_tokens: int = 24
    """Of the answers to requests, and so the length along which distributions are compared."""
    lm_eval_tasks: list[str] = field(default_factory=list)
    """Tasks of lm-evaluation-harness, such as [arc_easy,hellaswag]; needs the extra lm-eval, and most tasks the network."""
    lm_eval_include: str | None = None
    """Folder with task files of your own."""
    lm_eval_limit: int | None = None
    """Questions of each of these tasks; null for all."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_in_range("max_new_tokens", self.max_new_tokens, 1)
        if self.lm_eval_limit is not None:
            check_in_range("lm_eval_limit", self.lm_eval_limit, 1)


@dataclass
class ExportConfig(AlignConfig):
    """One export; of the run's settings, those that shape it count."""

    to: str = ""
    """model: the model as a folder that transformers loads; peft: a soft prompt with its card, for PEFT and the hub; lm_eval:
    task files of the survey; prompt_embeds: questions behind a soft prompt as vLLM takes them."""
    output: str = MISSING
    """Folder, made if need be."""
    questions: Any = None
    """Of prompt_embeds: a list of questions, or a text file with one a line."""

    def __post_init__(self) -> None:
        """Check choices."""
        super().__post_init__()
        check_one_of("to", self.to, EXPORT_FORMATS)
        given = self.questions
        if not (given is None or isinstance(given, str) or (given and all(isinstance(q, str) for q in given))):
            raise ValueError(f"questions={given} is not allowed; give a list of texts or the path of a text file")
        if (self.to == "prompt_embeds") != (given is not None):
            raise ValueError(
                f"questions={given} does not go with to={self.to}; to=prompt_embeds and questions= go together"
            )


@dataclass
class ReportConfig:
    """One report."""

    runs: str = "outputs"
    """A run folder, or a folder above any number of them."""
    output: str | None = None
    """Folder of the report; null is report/ in the folder of the runs."""
