"""Cultural alignment of frozen language models by evolved soft prompts.

Use ``load_model``, ``load_survey``, ``score``, ``align`` and ``load_result`` in notebooks. The first use of one imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cultural_sp.api import Alignment, Scores, align, load_model, load_result, load_survey, score

__all__ = ["Alignment", "Scores", "align", "load_model", "load_result", "load_survey", "score"]


def __getattr__(name: str) -> Any:
    """Import the interface on its first use, so that the command line starts without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cultural_sp import api

    return getattr(api, name)
