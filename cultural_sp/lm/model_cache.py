"""The model that the jobs of one process share, and what was computed with it. Loads no torch itself."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Hashable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from cultural_sp.config.groups import ModelConfig

if TYPE_CHECKING:
    from cultural_sp.lm.language_model import LanguageModel

Value = TypeVar("Value")


class ModelCache:
    """Holds at most one model, and values that depend only on that model and on their key.

    The cache outlives a job, so a value must not depend on a region, a seed or a run folder unless the key names it.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._config: ModelConfig | None = None
        self._model: LanguageModel | None = None
        self._values: dict[Hashable, Any] = {}

    def model(self, config: ModelConfig, load: Callable[[ModelConfig], LanguageModel]) -> LanguageModel:
        """Return the model for ``config``.

        Loads it on first use. A model with another config is evicted first, so at most one is in memory.
        """
        if self._model is None or self._config != config:
            self.clear()
            self._model, self._config = load(config), deepcopy(config)
        return self._model

    def get_or_compute(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value for ``key``; calls ``compute`` on first use with the present model."""
        if key not in self._values:
            self._values[key] = compute()
        value: Value = self._values[key]
        return value

    def clear(self) -> None:
        """Drop the model and all values, and free their memory."""
        self._model = self._config = None
        self._values.clear()
        gc.collect()  # a model lies in reference cycles
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # memory that the allocator keeps would look taken


PROCESS_CACHE = ModelCache()
"""The cache of command-line jobs. A global, because nothing else outlives a job in a launcher's worker process."""
