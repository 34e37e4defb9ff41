"""The config of a run, composed of its groups."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, check_plain_name
from cultural_sp.config.groups import (
    KnowledgeConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    ReadoutConfig,
    RegionConfig,
    SoftPromptConfig,
    SurveyConfig,
    TrackerConfig,
)


@dataclass
class AlignConfig:
    """One run."""

    model: ModelConfig = MISSING
    region: RegionConfig = MISSING
    survey: SurveyConfig = MISSING
    readout: ReadoutConfig = MISSING
    soft_prompt: SoftPromptConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    objective: ObjectiveConfig = MISSING
    knowledge: KnowledgeConfig = MISSING
    tracker: TrackerConfig = MISSING
    name: str = "align"
    """First folder of the run folder: output_dir/name/region/model/seed-N."""
    seed: int = 0
    """Seed of all random numbers; optimizer.seed follows it."""
    output_dir: str = "outputs"
    """Folder above all runs."""
    overwrite: bool = False
    """Delete the content of the run folder and start anew; otherwise an unfinished run goes on."""
    validity: bool = True
    """Check first whether the model can take this survey at all."""
    open_ended_questions: bool = True
    """Let the plain and the aligned model answer a few open questions in their own words; only the report shows them."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_in_range("seed", self.seed, 0, 2**32 - 1)
        check_plain_name("name", self.name)


GROUPS: dict[str, type] = {
    "model": ModelConfig,
    "region": RegionConfig,
    "survey": SurveyConfig,
    "readout": ReadoutConfig,
    "soft_prompt": SoftPromptConfig,
    "optimizer": OptimizerConfig,
    "objective": ObjectiveConfig,
    "knowledge": KnowledgeConfig,
    "tracker": TrackerConfig,
}
