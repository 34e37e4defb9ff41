"""Where a result came from: versions, commit, hashes."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
SHAPING = ("cultural-sp", "torch", "transformers", "nevergrad", "numpy")  # another version may give other losses
WITHOUT_EFFECT = (("optimizer", "max_failed_share"), ("model", "note"))  # on any result
LATER: dict[tuple[str, str], Any] = {  # finished runs from before these count as runs with the value here
    ("region", "codes"): None,
    ("optimizer", "warm_start"): None,
    ("model", "adapter"): None,
    ("survey", "tune_wordings"): [0],
    ("objective", "argmax_weight"): 0.0,
    ("knowledge", "kind"): "none",
    ("knowledge", "source"): "",
    ("knowledge", "revision"): None,
    ("knowledge", "countries"): None,
}
CONSTANT_50 = ("vsm13", "vsm13_cat")  # instruments whose C is 50


def content(config: dict[str, Any]) -> dict[str, Any]:
    """What can change a result in a config given as nested dictionaries: not where it lies or is shown, nor when it gives up."""
    kept = {k: v for k, v in config.items() if k not in ("output_dir", "overwrite", "tracker", "open_ended_questions")}
    for group, key in WITHOUT_EFFECT:
        kept[group] = {k: v for k, v in kept[group].items() if k != key}
    if kept["objective"]["constant"] is None and kept["survey"]["instrument"] in CONSTANT_50:
        kept["objective"] = {**kept["objective"], "constant": 50.0}  # what earlier runs said, and the same
    for (group, key), default in LATER.items():
        kept[group] = {k: v for k, v in kept.get(group, {}).items() if k != key or v != default}
    return {k: v for k, v in kept.items() if v != {}}  # a group of which nothing is left


def config_hash(config: AlignConfig) -> str:
    """SHA-256 of everything in a config that can change the result."""
    return hashlib.sha256(json.dumps(content(asdict(config)), sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str | None]:
    """Installed versions of the packages that shape a result, and of Python."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def shaping_versions() -> dict[str, str | None]:
    """The versions between which losses may differ, so that a search can't go on from one to the other."""
    major, minor, _ = platform.python_version_tuple()
    found = versions()
    return {"python": f"{major}.{minor}"} | {package: found[package] for package in SHAPING}


def git_commit() -> str | None:
    """Commit of the checkout the package runs from, with ``-dirty`` if files differ; None outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) == "":
            return None  # installed into some other project's checkout
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(config: AlignConfig, **hashes: Any) -> dict[str, Any]:
    """The provenance entry of a result; ``hashes`` are added as they are."""
    return {
        "packages": versions(),
        "git_commit": git_commit(),
        "seeds": {"seed": config.seed, "optimizer.seed": config.optimizer.seed},
        "config_hash": config_hash(config),
        **hashes,
    }
