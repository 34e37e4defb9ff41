"""The jobs of the programs that use a finished soft prompt; they import what they need when they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cultural_sp.config.schema import AlignConfig

if TYPE_CHECKING:
    from cultural_sp.config.inference import AskConfig, ExportConfig, SideEffectsConfig


def evaluate_job(config: AlignConfig) -> None:
    """Score a soft prompt."""
    from cultural_sp.inference.evaluate import evaluate
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    for file in evaluate(config, PROCESS_CACHE):
        print(f"scores: {file}", flush=True)


def ask_job(config: AskConfig) -> None:
    """Ask the plain and the aligned model open questions."""
    from cultural_sp.inference.ask import ask
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    ask(config, PROCESS_CACHE)


def question_last(arguments: Sequence[str]) -> list[str]:
    """Return the flags and overrides among the arguments, and all other words together as one override ``question=...``."""
    from hydra._internal.utils import get_args_parser

    with_value = [
        name for action in get_args_parser()._actions if action.nargs is None for name in action.option_strings
    ]
    overrides: list[str] = []
    words: list[str] = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        key, is_override, _ = argument.partition("=")
        is_flag = argument.startswith(("-", "~")) or previous in with_value
        (overrides if is_flag or (is_override and " " not in key) else words).append(argument)
    if words:
        text = " ".join(words).replace("\\", "\\\\").replace("'", "\\'")
        overrides.append(f"question='{text}'")
    return overrides


def side_effects_job(config: SideEffectsConfig) -> None:
    """Measure the side effects of a soft prompt."""
    from cultural_sp.inference.side_effects import side_effects
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    print(f"table: {side_effects(config, PROCESS_CACHE)}", flush=True)


def export_job(config: ExportConfig) -> None:
    """Write a model, soft prompt or survey in the format of another tool."""
    from cultural_sp.inference.export.run import export

    print(f"export: {export(config)}", flush=True)
