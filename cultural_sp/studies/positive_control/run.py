"""Train the positive control and let it take the survey that it was never trained on."""

from __future__ import annotations

from pathlib import Path

from hydra import compose

from cultural_sp.config.compose import build
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import ControlConfig
from cultural_sp.evaluation.validity_check import run_validity_check
from cultural_sp.lm.load import load_model
from cultural_sp.studies.positive_control.respondents import Respondents
from cultural_sp.studies.positive_control.train import train
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import disk_errors


def positive_control(config: ControlConfig) -> Path:
    """Train, check with the main job's own validity check, and return the adapter's folder.

    Raises:
        ValueError: in one line, for a folder with another training's checkpoint, and if the disk refuses a write.
    """
    folder = Path(config.output_dir) / f"seed-{config.seed}"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lm = load_model(config.model)
    adapter = train(config, lm, Respondents(load_survey(config.survey.instrument), lm), folder)
    tested = compose("align")
    tested.model.adapter = str(adapter.resolve())
    run_validity_check(build(tested, AlignConfig))
    return adapter
