"""Config of the run whose model and survey are analysed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra import compose
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config.compose import build_config
from cultural_sp.config.groups import SurveyConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import FactorConfig
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.utils.errors import reason_of


def run_config_of(config: FactorConfig) -> AlignConfig:
    """Return the config of ``config.run``, or the default one with the configured model and survey.

    Raises:
        ValueError: if ``config.run`` is no finished run or its config can't be read.
    """
    return _default_config(config) if config.run is None else _stored_config(Path(config.run).expanduser())


def _default_config(config: FactorConfig) -> AlignConfig:
    run_config = compose("align")
    if config.model is not None:
        run_config.model = OmegaConf.structured(config.model)
    assert isinstance(config.survey, SurveyConfig)
    run_config.survey = OmegaConf.structured(config.survey)
    return build_config(run_config, AlignConfig)


def _stored_config(folder: Path) -> AlignConfig:
    """Read the config of a run folder, or of the joint run that a region's folder is part of."""
    if not (folder / "soft_prompt").is_dir():
        regions = sorted(path.parent.name for path in folder.glob(f"*/{RESULT}"))
        hint = f"; it is a joint run, give the folder of one region: {', '.join(regions)}" if regions else ""
        raise ValueError(f"run={folder} holds no soft_prompt folder, so it is no finished run{hint}")
    file = next((path for path in (folder / CONFIG, folder.parent / CONFIG) if path.is_file()), folder / CONFIG)
    try:
        stored: Any = OmegaConf.merge(OmegaConf.structured(AlignConfig), OmegaConf.load(file))
        return build_config(stored, AlignConfig)
    except (OSError, UnicodeDecodeError, OmegaConfBaseException) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise ValueError(f"run={folder}: {file.name} can't be read ({reason})") from error
