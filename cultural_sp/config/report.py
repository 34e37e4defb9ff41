"""Config of the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore


@dataclass
class ReportConfig:
    """One report."""

    runs: str = "outputs"
    """A run folder, or a folder above any number of them."""
    output: str | None = None
    """Folder of the report; null is report/ in the folder of the runs."""


def register_report() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_report", node=ReportConfig)


def report(config: ReportConfig) -> Path:
    """Write the configured report; returns the page's path.

    Raises:
        ValueError: in one line, if the folder isn't there or holds no finished run, or if the disk refuses a write.
    """
    from cultural_sp.reporting.html_report.build import FOLDER, write_report  # brings pandas and matplotlib

    runs = Path(config.runs).expanduser()
    if not runs.is_dir():
        raise ValueError(
            f"runs={config.runs} is no folder; give a run folder, or a folder above some, such as outputs/align"
        )
    return write_report([runs], runs / FOLDER if config.output is None else Path(config.output).expanduser())
