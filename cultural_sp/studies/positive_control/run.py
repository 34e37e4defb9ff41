"""The positive control program: train the model, then check it on the survey that it was never trained on."""

from __future__ import annotations

from pathlib import Path

from hydra import compose

from cultural_sp.config.compose import build_config
from cultural_sp.config.studies import ControlConfig, ValidityConfig
from cultural_sp.evaluation.validity_check import run_validity_check
from cultural_sp.lm.load import load_model
from cultural_sp.studies.positive_control.respondents import SyntheticRespondents
from cultural_sp.studies.positive_control.train import train
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import disk_errors


def positive_control(config: ControlConfig) -> Path:
    """Train the model, run the validity check on it and return the folder of the adapter.

    Raises:
        ValueError: if the folder holds the checkpoint of another training, or a file can't be written.
    """
    folder = config.folder
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lm = load_model(config.model)
    respondents = SyntheticRespondents(load_survey(config.survey.instrument), lm)
    adapter = train(config, lm, respondents, folder)
    check = compose("validity")
    check.model.adapter = str(adapter.resolve())
    run_validity_check(build_config(check, ValidityConfig))
    return adapter
