"""Which form an export has and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.checks import one_of
from cultural_sp.config.schema import AlignConfig

FORMS = ("model", "peft", "lm_eval", "prompt_embeds")


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
        one_of("to", self.to, FORMS)
        given = self.questions
        if not (given is None or isinstance(given, str) or (given and all(isinstance(q, str) for q in given))):
            raise ValueError(f"questions={given} is not allowed; give a list of texts or the path of a text file")
        if (self.to == "prompt_embeds") != (given is not None):
            raise ValueError(
                f"questions={given} does not go with to={self.to}; to=prompt_embeds and questions= go together"
            )


def register_export() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_export", node=ExportConfig)
