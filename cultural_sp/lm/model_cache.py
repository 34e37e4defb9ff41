"""What the jobs of one process have in common: one loaded model, and whatever was made with it. Loads no torch itself."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Hashable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from cultural_sp.config.groups import ModelConfig

if TYPE_CHECKING:
    from cultural_sp.lm.load import LanguageModel

Part = TypeVar("Part")


class ModelCache:
    """One model at a time, with the parts that depend on nothing but it and their key.

    Everything in here outlives a job, so it may hold nothing of a region, a seed or a run folder.
    """

    def __init__(self) -> None:
        """Empty."""
        self._config: ModelConfig | None = None
        self._model: LanguageModel | None = None
        self._parts: dict[Hashable, Any] = {}

    def model(self, config: ModelConfig, load: Callable[[ModelConfig], LanguageModel]) -> LanguageModel:
        """The model of this very config, loaded if another one or none is here; the other one goes before this one comes."""
        if self._model is None or self._config != config:
            self.clear()
            self._model, self._config = load(config), deepcopy(config)
        return self._model

    def get_or_compute(self, key: Hashable, make: Callable[[], Part]) -> Part:
        """What ``make`` returned when it was first called for this key and the model that is here."""
        if key not in self._parts:
            self._parts[key] = make()
        get_or_compute: Part = self._parts[key]
        return get_or_compute

    def clear(self) -> None:
        """Forget the model with everything made from it, and give its memory back."""
        self._model = self._config = None
        self._parts.clear()
        gc.collect()  # a model lies in reference cycles
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # what the allocator keeps would look taken to whoever asks for free memory


PROCESS_CACHE = ModelCache()
"""That of the command line's jobs. A global, since a launcher's worker process has nothing else that outlives a job."""
