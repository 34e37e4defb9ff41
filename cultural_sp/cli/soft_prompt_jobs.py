"""The jobs of the programs that use a finished soft prompt; they import what they need when they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cultural_sp.cli.words import quoted, split_words
from cultural_sp.config.schema import AlignConfig
from cultural_sp.utils.terminal import show

if TYPE_CHECKING:
    from cultural_sp.config.inference import AskConfig, ExportConfig, SideEffectsConfig


def evaluate_job(config: AlignConfig) -> None:
    """Score a soft prompt."""
    from cultural_sp.inference.evaluate import evaluate
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    for file in evaluate(config, PROCESS_CACHE):
        show(f"scores: {file}")


def ask_job(config: AskConfig) -> None:
    """Ask the plain and the aligned model open questions."""
    from cultural_sp.inference.ask import ask
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    ask(config, PROCESS_CACHE)


def question_last(arguments: Sequence[str]) -> list[str]:
    """Return the flags and overrides among the arguments, and all other words together as one override ``question=...``."""
    overrides, words = split_words(arguments)
    return [*overrides, f"question={quoted(' '.join(words))}"] if words else overrides


def side_effects_job(config: SideEffectsConfig) -> None:
    """Measure the side effects of a soft prompt."""
    from cultural_sp.inference.side_effects import side_effects
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    show(f"table: {side_effects(config, PROCESS_CACHE)}")


def export_job(config: ExportConfig) -> None:
    """Write a model, soft prompt or survey in the format of another tool."""
    from cultural_sp.inference.export.run import export

    show(f"export: {export(config)}")
