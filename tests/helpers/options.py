"""Config objects as the files in conf/ fill them, without composing a whole run."""

from pathlib import Path

import yaml

from cultural_sp.config.groups import OptimizerConfig

CONF = Path(__file__).parents[2] / "conf"
OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


def optimizer_config(option="de", **changes):
    """The optimizer option of this name, seeded 0."""
    settings = yaml.safe_load((CONF / "optimizer" / f"{option}.yaml").read_text())
    return OptimizerConfig(**{k: v for k, v in settings.items() if k != "seed"} | changes)
