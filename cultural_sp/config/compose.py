"""Composition: from config files and overrides to typed, checked objects."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from cultural_sp.config.inference import AskConfig, ExportConfig, ReportConfig, SideEffectsConfig
from cultural_sp.config.region_group import RegionOptions
from cultural_sp.config.regions import region_options
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.config.studies import (
    BenchmarkConfig,
    ControlConfig,
    FactorConfig,
    GeometryConfig,
    GpuCheckConfig,
    PaperConfig,
    RespondentsConfig,
    StudyConfig,
    ValidityConfig,
)

Schema = TypeVar("Schema")
SCHEMAS: dict[str, type] = {
    "align": AlignConfig,
    "validity": ValidityConfig,
    "check_model": AlignConfig,
    "evaluate": AlignConfig,
    "ask": AskConfig,
    "side_effects": SideEffectsConfig,
    "export": ExportConfig,
    "report": ReportConfig,
    "bench": BenchmarkConfig,
    "gpu_check": GpuCheckConfig,
    "factor_analysis": FactorConfig,
    "reproduce": PaperConfig,
    "study": StudyConfig,
    "positive_control": ControlConfig,
}
"""Name of a program's config -> its schema."""
OTHER_GROUPS: dict[str, type] = {"geometry": GeometryConfig, "respondents": RespondentsConfig}
"""Groups that a run doesn't have."""


def register_configs() -> None:
    """Put into Hydra's ConfigStore the schema of every program, and an option of the group ``region`` for every country.

    A user's file ``region/CODE.yaml`` takes precedence over the stored option.
    """
    # Hydra merges such a file into the stored option, and warns about it.
    warnings.filterwarnings("ignore", r"\s*'region/\w+' is validated against ConfigStore schema", UserWarning)
    store = ConfigStore.instance()
    for name, schema in SCHEMAS.items():
        store.store(name=f"base_{name}", node=schema)
    store.repo["region"] = RegionOptions()
    for code, vintage in region_options().items():
        store.store(group="region", name=code, node={"code": code} | ({"vintage": vintage} if vintage else {}))


def config_folder() -> Path:
    """Return the folder ``conf``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def group_options(group: str) -> list[str]:
    """Return the names of a group's options, such as ``cma`` in ``optimizer=cma``."""
    stored = region_options() if group == "region" else ()
    return sorted({*stored, *(path.stem for path in (config_folder() / group).glob("*.yaml"))})


def typed_overrides(hydra: Any) -> list[str]:
    """Return the overrides of the command line as the user typed them: references to other keys stay references.

    Args:
        hydra: the group ``hydra`` of a composed config.
    """
    plain: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(override) for override in plain]


def command_line_keys() -> list[str]:
    """Return the keys and groups that the command line of the running job sets, such as ``seed`` and ``model.dtype``."""
    overrides = OverridesParser.create().parse_overrides(typed_overrides(HydraConfig.get()))
    return [str(override.key_or_group) for override in overrides]


def build_config(config: Any, schema: type[Schema]) -> Schema:
    """Build the typed, checked object of a composed config.

    Args:
        config: a config that Hydra composed.
        schema: its dataclass, such as :class:`AlignConfig`.

    Raises:
        ValueError: if a key is unknown or a value out of range.
        OmegaConfBaseException: if a value is missing or has the wrong type.
    """
    _refuse_unknown_keys(config, schema)
    instance = OmegaConf.to_object(config)
    assert isinstance(instance, schema)
    return instance


def _refuse_unknown_keys(config: Any, schema: Any, prefix: str = "") -> None:
    """Refuse keys that ``+key=value`` added: nothing reads them."""
    allowed = [f.name for f in fields(schema)]
    for key in config:
        if key not in allowed:
            raise ValueError(f"unknown key {prefix}{key}; allowed: {', '.join(allowed)}")
        if not prefix and key in GROUPS and config[key] is not None:
            _refuse_unknown_keys(config[key], GROUPS[key], f"{key}.")
