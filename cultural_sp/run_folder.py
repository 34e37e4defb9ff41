"""The folder of a run: derived from what the run is, never from the clock."""

from __future__ import annotations

import shutil
from pathlib import Path

from omegaconf import OmegaConf

from cultural_sp.config import AlignConfig
from cultural_sp.provenance import config_hash
from cultural_sp.results import load_result

RESULT = "result.json"


def run_folder(config: AlignConfig) -> Path:
    """``output_dir/name/region[-vintage]/model/seed-N``."""
    region = config.region.code.lower() + (f"-{config.region.vintage}" if config.region.vintage else "")
    return Path(config.output_dir) / config.name / region / config.model.slug / f"seed-{config.seed}"


def is_finished(config: AlignConfig) -> bool:
    """Whether the run folder already holds this very run, finished.

    Raises:
        ValueError: in one line, if it holds something else and ``overwrite`` is off.
    """
    folder = run_folder(config)
    if config.overwrite or not folder.exists() or not any(folder.iterdir()):
        return False
    way_out = "choose another name=, or replace it with overwrite=true"
    if not (folder / RESULT).is_file():
        raise ValueError(f"run folder {folder} holds an unfinished run; {way_out}")
    if load_result(folder / RESULT).provenance.get("config_hash") != config_hash(config):
        raise ValueError(f"run folder {folder} holds a run with another config; {way_out}")
    return True


def create(config: AlignConfig) -> Path:
    """Make the empty run folder and write the resolved config into it.

    Raises:
        ValueError: in one line, if the folder can't be written.
    """
    folder = run_folder(config)
    try:
        if config.overwrite and folder.exists():
            shutil.rmtree(folder)
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        OmegaConf.save(OmegaConf.structured(config), folder / "config.yaml")
    except OSError as error:
        raise ValueError(
            f"output_dir={config.output_dir}: can't write {folder} ({error.strerror}); choose another"
        ) from error
    return folder
