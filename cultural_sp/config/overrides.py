"""The config of a run from a list of overrides, for callers without a command line."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

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
            return build_config(compose("align", overrides=list(overrides)), AlignConfig)
    except BAD_INPUT as error:
        raise ValueError(error_line(error)) from error
    finally:
        GlobalHydra.instance().hydra = callers_hydra
