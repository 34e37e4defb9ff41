"""Config of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.checks import check_in_range
from cultural_sp.config import ModelConfig, SurveyConfig


@dataclass
class GeometryConfig:
    """Shape of a Llama whose weights are random: the speed of a model without its download."""

    hidden_size: int = MISSING
    intermediate_size: int = MISSING
    layers: int = MISSING
    heads: int = MISSING
    kv_heads: int = MISSING
    vocab_size: int = MISSING
    """Raised to the tokenizer's where that has more entries."""


@dataclass
class BenchmarkConfig:
    """One benchmark."""

    model: ModelConfig = MISSING
    survey: SurveyConfig = MISSING
    geometry: GeometryConfig | None = None
    """Random weights of this shape instead of the model's own; its tokenizer stays."""
    n_tokens: int = 10
    """Virtual tokens."""
    max_new_tokens: int = 10
    """Of the method that lets the model write."""
    rounds: int = 3
    """Each round takes every method once, with a new candidate, in another order; a round to warm up comes first."""
    growth: bool = True
    """Also measure how the cost of the token tree grows."""
    name: str = "bench"
    seed: int = 0
    output_dir: str = "outputs"

    def __post_init__(self) -> None:
        """Check ranges."""
        for key in ("n_tokens", "max_new_tokens", "rounds"):
            check_in_range(key, getattr(self, key), 1)
        if self.survey.scoring != "number":
            raise ValueError(
                f"survey.scoring={self.survey.scoring} can't be benchmarked: the usual methods read one answer token; "
                "use survey=vsm13_number"
            )


def register_benchmark() -> None:
    """Put both schemas into Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name="base_benchmark", node=BenchmarkConfig)
    store.store(group="schema", name="geometry", node=GeometryConfig)
