"""The group ``region`` in Hydra's store, which knows its options by their codes and by their names."""

from __future__ import annotations

from hydra.core.config_store import ConfigNode
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from cultural_sp.config.regions import region_option


class RegionOptions(dict[str, ConfigNode]):
    """The group ``region`` in Hydra's store. It also answers to other names of its options, which no list shows."""

    def __contains__(self, file: object) -> bool:
        """Whether ``CODE.yaml`` is an option, or ``NAME.yaml`` another name of one."""
        return super().__contains__(file) or _option_of(str(file)) is not None

    def __missing__(self, file: str) -> ConfigNode:
        """Return a config that consists of the option with this name."""
        return ConfigNode(file, OmegaConf.create({"defaults": [_option_of(file)]}), "region", None, None)


def _option_of(file: str) -> str | None:
    """Return the option of which ``NAME.yaml`` is another name, unless a user has a file of that name."""
    name = file.removesuffix(".yaml")
    code = region_option(name)
    if code == name:
        return None
    hydra = GlobalHydra.instance().hydra
    sources = hydra.config_loader.get_sources() if hydra else []
    own = any(source.scheme() != "structured" and source.is_config(f"region/{file}") for source in sources)
    return None if own else code
