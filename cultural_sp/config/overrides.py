"""Lists of overrides: what they must not contain, and the config of a run from them without a command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from cultural_sp.config.compose import build_config, config_folder, register_configs
from cultural_sp.config.error_messages import BAD_INPUT, error_line
from cultural_sp.config.null_groups import null_group_errors
from cultural_sp.config.schema import AlignConfig


def align_config(overrides: Sequence[str]) -> AlignConfig:
    """Compose the config of a run, as ``cultural-sp align`` does with these overrides.

    A Hydra instance of the caller is restored afterwards.

    Raises:
        ValueError: if an override doesn't fit.
    """
    register_configs()
    callers_hydra = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        folder = str(config_folder())
        with null_group_errors(overrides, AlignConfig), initialize_config_dir(version_base="1.3", config_dir=folder):
            return build_config(compose_run(overrides), AlignConfig)
    except BAD_INPUT as error:
        raise ValueError(error_line(error)) from error
    finally:
        GlobalHydra.instance().hydra = callers_hydra


def compose_run(overrides: Sequence[str]) -> DictConfig:
    """Compose the config of a run; Hydra must be initialized.

    Raises:
        ValueError: if an override chooses a list of options.
    """
    refuse_lists(overrides)
    return compose("align", overrides=list(overrides))


def refuse_lists(overrides: Sequence[str]) -> None:
    """Refuse overrides such as ``region=[us,sa]``: Hydra merges the options of a list, so that the last one replaces the others.

    Raises:
        ValueError: if an override chooses a list of options.
    """
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    loader = hydra.config_loader
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(overrides)):
        group = override.key_or_group
        lists = [value for value in _values(override) if isinstance(value, list)]
        if not lists or not loader.get_group_options(group):
            continue
        options = list(dict.fromkeys(str(option) for value in lists for option in value)) or ["OPTION"]
        names = ",".join(options)
        way = f"write {shlex.quote(f'{group}={options[0]}')} for one"
        if len(options) > 1:
            way += f", --multirun {shlex.quote(f'{group}={names}')} for a sweep"
        if group == "region" and len(options) > 1:
            way += f", or region=joint {shlex.quote(f'region.codes=[{names}]')} for one run for all of them"
        raise ValueError(f"{override.input_line} chooses a list, of which only the last option would count; {way}")


def _values(override: Override) -> list[Any]:
    """Return the values of an override; those of a sweep."""
    if override.is_sweep_override():
        return list(override.sweep_iterator()) if override.is_choice_sweep() else []
    return [override.value()]
