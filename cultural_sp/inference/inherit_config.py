"""Settings that a soft prompt inherits from its run; the command line overrides them. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from cultural_sp.config.compose import command_line_keys
from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.result import Result, load_result
from cultural_sp.utils.errors import reason_of

INHERITED = ("model", "survey", "readout", "objective", "seed")
"""Groups and keys that a soft prompt inherits from its run, besides its region."""
RUN_ONLY_KEYS = ("optimizer", "tracker", "name", "overwrite", "validity", "open_ended_questions")
"""Groups and keys that only a run uses; programs for a finished soft prompt refuse them."""


class RunFolders(NamedTuple):
    """Folders of the run that a soft prompt belongs to. The two differ only in a joint run."""

    result: Path
    config: Path


def required_prompt_path(config: AlignConfig) -> str:
    """Return ``soft_prompt.path``.

    Raises:
        ValueError: if it is empty.
    """
    if not config.soft_prompt.path:
        raise ValueError("soft_prompt.path is missing; give the soft_prompt folder of a run, or one that PEFT wrote")
    return config.soft_prompt.path


def run_of(path: str) -> RunFolders | None:
    """Return the folders of the run that the soft prompt at ``path`` belongs to, or None if it belongs to no run."""
    folder = Path(path).expanduser().resolve().parent
    if (folder / CONFIG).is_file():
        return RunFolders(folder, folder)
    if (folder / RESULT).is_file() and (folder.parent / CONFIG).is_file():
        return RunFolders(folder, folder.parent)
    return None


def output_folder_of(path: str) -> Path:
    """Return the folder for files about a soft prompt: its run's result folder, or its own folder if it has no run."""
    run = run_of(path)
    return Path(path).expanduser() if run is None else run.result


def result_of(path: str) -> Result | None:
    """Return the result of the soft prompt's run, or None if it has no run or the run isn't finished.

    Raises:
        ValueError: if the result can't be read.
    """
    run = run_of(path)
    return load_result(run.result / RESULT) if run is not None and (run.result / RESULT).is_file() else None


def inherit_run_config(config: DictConfig) -> DictConfig:
    """Fill a composed config with the settings of the run that ``soft_prompt.path`` belongs to.

    The command line overrides what the run says. A soft prompt without a run brings only its base model, if PEFT recorded
    one. The number of virtual tokens and the placement always come from the soft prompt.

    Raises:
        ValueError: if the soft prompt can't be read, its model is unknown, or the command line sets a key that has no
            effect.
    """
    keys = command_line_keys()
    _refuse_unused(keys)
    path = config.soft_prompt.path
    if not path:
        return config
    from cultural_sp.lm.soft_prompt import peft_settings, read_soft_prompt  # imports torch

    prompt, placement = read_soft_prompt(path)
    run = run_of(path)
    if run is not None:
        inherited = _run_settings(run, path)
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


def _refuse_unused(keys: Sequence[str]) -> None:
    for key in keys:
        group, _, name = key.partition(".")
        if group in RUN_ONLY_KEYS:
            raise ValueError(f"{key} has no effect on a finished soft prompt; leave it out")
        if group == "soft_prompt" and name != "path":
            raise ValueError(
                f"{key} is fixed by the soft prompt; leave it out, and give the soft prompt as soft_prompt.path=FOLDER"
            )


def _run_settings(run: RunFolders, path: str) -> dict[str, Any]:
    """Read the inherited groups from a run's config."""
    try:
        stored: Any = OmegaConf.to_container(OmegaConf.load(run.config / CONFIG), resolve=True)
        settings = {name: stored[name] for name in INHERITED}
        region = dict(stored["region"])
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError) as error:
        raise ValueError(
            f"soft_prompt.path={path}: {run.config / CONFIG} is no config of this program ({reason_of(error)}); copy the "
            "soft_prompt folder elsewhere and give model=, region= and survey= instead"
        ) from error
    if run.result != run.config:  # one region of a joint run
        region.update(code=run.result.name, codes=None)
    return {**settings, "region": region}


def _base_model(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the base model that PEFT recorded."""
    name = settings.get("base_model_name_or_path")
    if not name or " + " in name:
        problem = f"names {name}, a model with an adapter" if name else "names no base model"
        raise ValueError(
            f"soft_prompt.path={path} {problem}, and belongs to no run of this program; name its model with model= or "
            "model.name_or_path= and model.adapter="
        )
    defaults = OmegaConf.to_container(OmegaConf.structured(ModelConfig))
    assert isinstance(defaults, dict)
    return {**{str(k): v for k, v in defaults.items()}, "name_or_path": name, "revision": settings.get("revision")}
