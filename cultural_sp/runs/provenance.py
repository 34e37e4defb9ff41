"""Provenance of a result: package versions, git commit, seeds and the hash of the config."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cultural_sp.config.registries import GENERATE, READOUTS
from cultural_sp.config.schema import AlignConfig

PACKAGES = (
    "cultural-sp",
    "torch",
    "transformers",
    "nevergrad",
    "numpy",
    "hydra-core",
    "omegaconf",
    "safetensors",
    "peft",
)
"""Packages whose versions a result records."""
LOSS_DETERMINING = ("cultural-sp", "torch", "transformers", "nevergrad", "numpy")
"""Packages whose version can change losses."""
WITHOUT_EFFECT = ("output_dir", "overwrite", "tracker", "open_ended_questions")
WITHOUT_EFFECT_IN_GROUPS = (("optimizer", "max_failed_share"), ("model", "note"))
"""Settings that can't change the numbers of a result: its place, its presentation, and when a run gives up."""
REPORT_ONLY = ("validity", "knowledge")
"""Settings whose part of a run comes before or after the search."""


def result_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that can change a result, from a config as nested dictionaries."""
    settings = {key: value for key, value in config.items() if key not in WITHOUT_EFFECT}
    for group, key in WITHOUT_EFFECT_IN_GROUPS:
        settings[group] = {k: v for k, v in settings[group].items() if k != key}
    return settings


def search_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that can change a search, as nested dictionaries: those of a result without those of its report.

    An interrupted run may go on with another report.
    """
    settings = {key: value for key, value in result_settings(config).items() if key not in REPORT_ONLY}
    kind = settings["readout"]["kind"]
    unused = {"report_generate"}
    if kind != GENERATE:
        unused |= {"temperature", "max_new_tokens"}
        if not READOUTS[kind].draws:
            unused.add("n_respondents")
    settings["readout"] = {k: v for k, v in settings["readout"].items() if k not in unused}
    return settings


def config_hash(config: AlignConfig) -> str:
    """Return the SHA-256 of all settings that can change a result."""
    return json_hash(result_settings(asdict(config)))


def search_hash(config: AlignConfig) -> str:
    """Return the SHA-256 of all settings that can change a search."""
    return json_hash(search_settings(asdict(config)))


def json_hash(value: Any) -> str:
    """Return the SHA-256 of plain JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str | None]:
    """Return the installed versions of Python and of :data:`PACKAGES`; None for a missing package."""
    installed: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = None
    return installed


def loss_determining_versions() -> dict[str, str | None]:
    """Return the versions that can change losses. A search can resume only under the same ones."""
    major, minor, _ = platform.python_version_tuple()
    installed = versions()
    return {"python": f"{major}.{minor}"} | {package: installed[package] for package in LOSS_DETERMINING}


def git_commit() -> str | None:
    """Return the commit of the checkout that contains this package, with ``-dirty`` if files differ; None without a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) == "":
            return None  # the package is installed inside the checkout of another project
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(config: AlignConfig, **hashes: Any) -> dict[str, Any]:
    """Return the provenance entry of a result; ``hashes`` are added to it."""
    return {
        "packages": versions(),
        "git_commit": git_commit(),
        "seeds": {"seed": config.seed, "optimizer.seed": config.optimizer.seed},
        "config_hash": config_hash(config),
        **hashes,
    }
