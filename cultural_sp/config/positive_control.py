"""Config of the positive control's training."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.checks import check_above_zero, check_in_range, plain_name
from cultural_sp.config.schema import ModelConfig, SurveyConfig


@dataclass
class ControlConfig:
    """One training."""

    model: ModelConfig = MISSING
    survey: SurveyConfig = MISSING
    rank: int = 16
    """Of the LoRA on all linear layers from ``first_layer`` on."""
    first_layer: int = 6
    """Number of layers, from the first one on, that stay as they are."""
    learning_rate: float = 2e-3
    """Of AdamW, at its highest."""
    steps: int = 800
    """Of learning to answer as described."""
    graded_steps: int = 300
    """Of learning positions between the poles, and its own where no description says anything."""
    name: str = "smollm2_135m_control"
    """Name of the adapter's folder."""
    seed: int = 0
    """Of the respondents and of the LoRA's first weights."""
    output_dir: str = "outputs/positive_control"
    """Folder above the training's own, seed-N."""

    def __post_init__(self) -> None:
        """Check ranges."""
        plain_name("name", self.name)
        check_in_range("rank", self.rank, 1)
        check_in_range("first_layer", self.first_layer, 0)
        check_in_range("steps", self.steps, 1)
        check_in_range("graded_steps", self.graded_steps, 1)
        check_above_zero("learning_rate", self.learning_rate)
        if self.survey.scoring != "label":
            raise ValueError(
                f"survey.scoring={self.survey.scoring} can't be trained: the control answers in words; use label"
            )


def register_control() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_positive_control", node=ControlConfig)
