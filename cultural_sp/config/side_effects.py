"""Which side effects are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore

from cultural_sp.config.checks import check_in_range
from cultural_sp.config.schema import AlignConfig


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


def register_side_effects() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_side_effects", node=SideEffectsConfig)
