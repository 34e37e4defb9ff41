"""How far the searches of a run had come after each evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from cultural_sp.runs.folder import CONFIG
from cultural_sp.runs.history import RegionHistory
from cultural_sp.search.journal import JOURNAL, read_header, read_journal


def best_so_far(folder: Path, region: str) -> dict[str, pd.Series]:
    """Search -> mean absolute difference in index points of its best candidate after 1, 2, ... evaluations.

    Args:
        folder: of a finished run.
        region: one of its regions.
    """
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    course = RegionHistory(region, config, read_header(folder / JOURNAL))
    found: dict[str, list[float]] = {}
    for record in read_journal(folder / JOURNAL):
        course.add(record)
        found.setdefault(record["search"], []).append(course.best["l1"] if course.best else np.inf)
    return {search: pd.Series(losses, index=range(1, len(losses) + 1)) for search, losses in found.items()}
