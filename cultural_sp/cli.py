"""Command line entry points: Hydra composes the config, errors a user can mend become one line and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config import AlignConfig, build, config_folder, register


def main(job: Callable[[AlignConfig], object]) -> None:
    """Compose a config from the command line and run ``job`` on it, once or, with ``--multirun``, for every combination."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise instead of printing its own report and leaving with code 1
    register()

    def run(config: Any) -> None:
        job(build(config))

    entry = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(run)
    try:
        entry()
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, with the cause that Hydra and OmegaConf hide behind it."""
    text = str(error)
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and str(cause) not in text:
        text = f"{text} {cause}"
    lines = [line.strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("object_type="))


def align_main() -> None:
    """``cultural-sp-align``: the main job."""
    from cultural_sp.align import align

    def job(config: AlignConfig) -> None:
        _, folder = align(config)
        print(f"run folder: {folder}")

    main(job)


def validity_main() -> None:
    """``cultural-sp-validity``: only the check whether a model can take a survey."""
    from cultural_sp.validity import check

    main(check)
