"""What is asked of a model with and without soft prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore

from cultural_sp.config.checks import check_in_range
from cultural_sp.config.schema import AlignConfig


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


def register_ask() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_ask", node=AskConfig)


def question_last(arguments: Sequence[str]) -> list[str]:
    """Command line arguments in which a question stands as it is, as overrides: whatever is neither an option nor has a key."""
    found: list[str] = []
    words: list[str] = []
    for argument in arguments:
        key, is_override, _ = argument.partition("=")
        option = argument.startswith(("-", "~")) or (is_override and " " not in key)
        (found if option else words).append(argument)
    if words:
        text = " ".join(words).replace("\\", "\\\\").replace("'", "\\'")
        found.append(f"question='{text}'")
    return found
