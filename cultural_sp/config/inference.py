"""Configs of the programs that use a finished soft prompt, and of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, check_one_of
from cultural_sp.config.schema import AlignConfig

EXPORT_FORMATS = ("model", "peft", "lm_eval", "prompt_embeds")


@dataclass
class AskConfig(AlignConfig):
    """Questions in the user's own words. Of the settings of a run, only model and soft prompt have an effect."""

    question: str = ""
    """One question; if empty, the program asks for questions one after the other, until an empty line."""
    beside: list[str] = field(default_factory=list)
    """Folders of more soft prompts for the same model, such as other regions'; their answers stand beside the first."""
    max_new_tokens: int = 100
    """Largest number of tokens of an answer."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_in_range("max_new_tokens", self.max_new_tokens, 1)


@dataclass
class SideEffectsConfig(AlignConfig):
    """One measurement of a soft prompt. Of the settings of a run, only model, survey and soft prompt have an effect."""

    max_new_tokens: int = 24
    """Tokens of the answers to requests; next-token distributions are compared at each of them."""
    lm_eval_tasks: list[str] = field(default_factory=list)
    """Tasks of lm-evaluation-harness, such as [arc_easy,hellaswag]; needs the extra lm-eval, and most tasks the network."""
    lm_eval_include: str | None = None
    """Folder with your own task files."""
    lm_eval_limit: int | None = None
    """Number of questions of each task; null for all."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_in_range("max_new_tokens", self.max_new_tokens, 1)
        if self.lm_eval_limit is not None:
            check_in_range("lm_eval_limit", self.lm_eval_limit, 1)


@dataclass
class ExportConfig(AlignConfig):
    """One export. Of the settings of a run, only those that appear in the exported files have an effect."""

    to: str = ""
    """model: the model as a folder that transformers loads; peft: a soft prompt with its card, for PEFT and the hub; lm_eval:
    task files of the survey; prompt_embeds: questions behind a soft prompt as vLLM takes them."""
    output: str = MISSING
    """Folder; it is made if it doesn't exist."""
    questions: Any = None
    """With prompt_embeds: a list of questions, or a text file with one question per line."""

    def __post_init__(self) -> None:
        """Check choices."""
        super().__post_init__()
        check_one_of("to", self.to, EXPORT_FORMATS)
        questions = self.questions
        is_list = isinstance(questions, list) and questions and all(isinstance(question, str) for question in questions)
        if not (questions is None or isinstance(questions, str) or is_list):
            raise ValueError(f"questions={questions} is not allowed; give a list of texts or the path of a text file")
        if (self.to == "prompt_embeds") != (questions is not None):
            raise ValueError(
                f"questions={questions} does not go with to={self.to}; to=prompt_embeds and questions= go together"
            )

    @property
    def folder(self) -> Path:
        """The folder of the export."""
        return Path(self.output).expanduser()


@dataclass
class ReportConfig:
    """One report."""

    runs: str = "outputs"
    """A run folder, or a folder above any number of them."""
    output: str | None = None
    """Folder of the report; null is report/ in the folder of the runs."""

    @property
    def folder(self) -> Path:
        """The folder of the report."""
        return Path(self.runs).expanduser() / "report" if self.output is None else Path(self.output).expanduser()
