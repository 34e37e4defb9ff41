"""Which run a given soft prompt is from, and its settings, but for what the command line says. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.result import Result, load_result
from cultural_sp.utils.errors import reason_of

INHERITED = ("model", "survey", "readout", "objective", "seed")
RUN_ONLY_KEYS = ("optimizer", "tracker", "name", "overwrite", "validity", "open_ended_questions")
"""Settings of a run that play no part once its soft prompt is there."""


def required_prompt_path(config: AlignConfig) -> str:
    """``soft_prompt.path``.

    Raises:
        ValueError: in one line, if it isn't given.
    """
    if not config.soft_prompt.path:
        raise ValueError("soft_prompt.path is missing; give the soft_prompt folder of a run, or one that PEFT wrote")
    return config.soft_prompt.path


def run_of(path: str) -> tuple[Path, Path] | None:
    """The folder with the result, and the one with the config, of the run whose soft prompt ``path`` holds; None if none.

    They differ in joint runs only.
    """
    folder = Path(path).expanduser().resolve().parent
    if (folder / CONFIG).is_file():
        return folder, folder
    if (folder / RESULT).is_file() and (folder.parent / CONFIG).is_file():
        return folder, folder.parent
    return None


def output_folder_of(path: str) -> Path:
    """Where what is found about a soft prompt goes: the folder of its run, or its own folder if it belongs to none."""
    run = run_of(path)
    return Path(path).expanduser() if run is None else run[0]


def result_of(path: str) -> Result | None:
    """The result of that run; None if there is none, or none yet.

    Raises:
        ValueError: in one line, if it can't be read.
    """
    run = run_of(path)
    return load_result(run[0] / RESULT) if run is not None and (run[0] / RESULT).is_file() else None


def inherit_run_config(config: DictConfig) -> DictConfig:
    """The composed config with the settings of the run that ``soft_prompt.path`` belongs to, below those of the command line.

    A soft prompt of no run brings its base model along, if PEFT wrote it down. Number of virtual tokens and placement
    are its own in any case.

    Raises:
        ValueError: in one line, if there is no soft prompt, nothing says which model it is for, or the command line has
            settings that play no part.
    """
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    keys = [str(override.key_or_group) for override in overrides]
    _refuse_idle(keys)
    path = config.soft_prompt.path
    if not path:
        return config
    from cultural_sp.lm.soft_prompt import peft_settings, read_soft_prompt  # brings torch

    prompt, placement = read_soft_prompt(path)
    run = run_of(path)
    if run is not None:
        inherited = _of_run(*run, path)
    elif {"model", "model.name_or_path"} & set(keys):
        inherited = {}
    else:
        inherited = {"model": _base_model(path, peft_settings(path))}
    merged: Any = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    with open_dict(merged):
        for group, values in inherited.items():
            if group not in keys:
                merged[group] = {**config[group], **values} if isinstance(values, dict) else values
        merged.soft_prompt.n_tokens, merged.soft_prompt.placement = len(prompt), placement
    for key in keys:
        if "." in key and key.split(".")[0] not in keys:
            OmegaConf.update(merged, key, OmegaConf.select(config, key), force_add=True)
    return DictConfig(OmegaConf.merge(config, merged))


def _refuse_idle(keys: Sequence[str]) -> None:
    for key in keys:
        group, _, name = key.partition(".")
        if group in RUN_ONLY_KEYS:
            raise ValueError(
                f"{key} belongs to a run and plays no part in what is done with its soft prompt; leave it out"
            )
        if group == "soft_prompt" and name != "path":
            raise ValueError(f"{key} is the soft prompt's own here; leave it out, and give soft_prompt.path=FOLDER")


def _of_run(folder: Path, above: Path, path: str) -> dict[str, Any]:
    """What the run says of each inherited group."""
    try:
        there: Any = OmegaConf.to_container(OmegaConf.load(above / CONFIG), resolve=True)
        settings = {name: there[name] for name in INHERITED}
        region = dict(there["region"])
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError) as error:
        raise ValueError(
            f"soft_prompt.path={path}: {above / CONFIG} is no config of this program ({reason_of(error)}); copy the "
            "soft_prompt folder elsewhere and give model=, region= and survey= instead"
        ) from error
    if folder != above:  # of a joint run, one region's
        region.update(code=folder.name, codes=None)
    return {**settings, "region": region}


def _base_model(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of the model that PEFT wrote down."""
    name = settings.get("base_model_name_or_path")
    if not name or " + " in name:
        says = f"names {name}, a model with an adapter" if name else "names no base model"
        raise ValueError(
            f"soft_prompt.path={path} {says}, and belongs to no run of this program; say which model it is for with model= or "
            "model.name_or_path= and model.adapter="
        )
    plain = OmegaConf.to_container(OmegaConf.structured(ModelConfig))
    assert isinstance(plain, dict)
    return {**{str(k): v for k, v in plain.items()}, "name_or_path": name, "revision": settings.get("revision")}
