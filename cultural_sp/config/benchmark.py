"""Config of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, plain_name
from cultural_sp.config.schema import ModelConfig, SurveyConfig


@dataclass
class GeometryConfig:
    """Shape of a Llama whose weights are random: the speed of a model without its download."""

    hidden_size: int = MISSING
    """Width H of the embeddings."""
    intermediate_size: int = MISSING
    """Width inside of the feed-forward layers."""
    layers: int = MISSING
    """Number of decoder layers."""
    heads: int = MISSING
    """Number of attention heads."""
    kv_heads: int = MISSING
    """Number of heads that have keys and values of their own."""
    vocab_size: int = MISSING
    """Raised to the tokenizer's where that has more entries."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for key in ("hidden_size", "intermediate_size", "layers", "heads", "kv_heads", "vocab_size"):
            check_in_range(f"geometry.{key}", getattr(self, key), 1)
        if self.hidden_size % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError(
                f"geometry.heads={self.heads} does not go with geometry.hidden_size={self.hidden_size} and "
                f"geometry.kv_heads={self.kv_heads}; give heads of an even width, and a multiple of kv_heads"
            )


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
    """Folder of the tables."""
    seed: int = 0
    """Of the candidates, and of random weights."""
    output_dir: str = "outputs"
    """Folder above it."""

    def __post_init__(self) -> None:
        """Check ranges."""
        plain_name("name", self.name)
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
