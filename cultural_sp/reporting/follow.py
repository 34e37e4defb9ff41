"""How far a run is: its journal, read while it grows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.runs.folder import CONFIG
from cultural_sp.runs.history import RegionHistory
from cultural_sp.search.journal import JOURNAL
from cultural_sp.survey.instrument import Survey, load_survey


class Progress:
    """What a journal says so far."""

    def __init__(self, config: dict[str, Any], header: dict[str, Any]) -> None:
        """Of a run with this resolved config and this header of its journal."""
        self.budget: int = config["optimizer"]["budget"]
        """Evaluations of each of the two searches."""
        self.unit, self.published_range = _scale(config["survey"].get("instrument", ""))
        self.courses = [RegionHistory(region, config, header) for region in header["targets"]]
        self.done = 0
        """Evaluations of both searches."""
        self.search, self.generation = "starting", 0
        self._seconds: list[float] = []  # of each evaluation of the last generation

    def add(self, record: dict[str, Any]) -> None:
        """Take in the next record of the journal."""
        self.done += 1
        if (record["search"], record["generation"]) != (self.search, self.generation):
            self._seconds = []
        self.search, self.generation = record["search"], record["generation"]
        self._seconds.append(record["seconds"])
        for course in self.courses:
            course.add(record)

    @property
    def left(self) -> str:
        """How long the remaining evaluations take at the pace of the last generation."""
        rest = 2 * self.budget - self.done
        if not rest:
            return "searches done"
        if not self._seconds:
            return "time left unknown"
        minutes, seconds = divmod(round(rest * sum(self._seconds) / len(self._seconds)), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _scale(instrument: str) -> tuple[str, tuple[float, float]]:
    """Unit and range of published scores of a survey; the usual ones where it can't be read from here."""
    try:
        survey = load_survey(instrument)
    except ValueError:
        return Survey.unit, Survey.published_range
    return survey.unit, survey.published_range


class Follower:
    """Reads a journal that grows, every line once."""

    def __init__(self, folder: Path) -> None:
        """Of the run in ``folder``, which may not have begun."""
        self._folder, self._read = folder, 0
        self._progress: Progress | None = None

    def progress(self) -> Progress | None:
        """What the journal says by now; None as long as there is none."""
        journal = self._folder / JOURNAL
        if not journal.is_file() or journal.stat().st_size < self._read:  # replaced, or a torn batch was cut off
            self._read, self._progress = 0, None
        try:
            with journal.open("rb") as lines:
                lines.seek(self._read)
                for line in lines:
                    if not line.endswith(b"\n"):  # still on its way
                        break
                    self._take(json.loads(line))
                    self._read += len(line)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # replaced by a longer one: from its start, next time
            self._read = sys.maxsize
        return self._progress

    def _take(self, record: dict[str, Any]) -> None:
        if self._progress is None:
            self._progress = Progress(yaml.safe_load((self._folder / CONFIG).read_text(encoding="utf-8")), record)
        else:
            self._progress.add(record)
