"""Progress of a run, read from its journal while the journal grows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.runs.folder import CONFIG
from cultural_sp.runs.history import RegionHistory
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.search.journal import JOURNAL
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.utils.json_lines import DamagedLineError, read_json_lines


class RunProgress:
    """Progress of a run: the number of evaluations so far, and the best candidate for each region."""

    def __init__(self, config: dict[str, Any], header: dict[str, Any]) -> None:
        """Start before the first evaluation of a run with this resolved config and this journal header."""
        self.budget: int = config["optimizer"]["budget"]
        """Number of evaluations of each of the two searches."""
        self.unit, self.published_range = _scale(config["survey"].get("instrument", ""))
        self.histories = [RegionHistory(region, config, header) for region in header["targets"]]
        self.n_evaluations = 0
        """Number of evaluations of both searches so far."""
        self.search, self.generation = "starting", 0
        self._seconds: list[float] = []  # duration of each evaluation of the last generation

    def add(self, record: dict[str, Any]) -> None:
        """Add the next record of the journal; those of a selection are left out."""
        if record["search"] not in SEARCHES:
            return
        self.n_evaluations += 1
        if (record["search"], record["generation"]) != (self.search, self.generation):
            self._seconds = []
        self.search, self.generation = record["search"], record["generation"]
        self._seconds.append(record["seconds"])
        for history in self.histories:
            history.add(record)

    @property
    def time_left(self) -> str:
        """Time that the remaining evaluations need at the pace of the last generation."""
        n_left = 2 * self.budget - self.n_evaluations
        if not n_left:
            return "searches done"
        if not self._seconds:
            return "time left unknown"
        minutes, seconds = divmod(round(n_left * sum(self._seconds) / len(self._seconds)), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _scale(instrument: str) -> tuple[str, tuple[float, float]]:
    """Return the unit and the published range of a survey's scores; the default ones if its file can't be read."""
    try:
        survey = load_survey(instrument)
    except ValueError:
        return Survey.unit, Survey.published_range
    return survey.unit, survey.published_range


class ProgressReader:
    """Reads a growing journal; each call of :meth:`read` reads only the lines that are new."""

    def __init__(self, folder: Path) -> None:
        """Follow the run in ``folder``, which need not have started yet."""
        self._folder, self._offset = folder, 0
        self._progress: RunProgress | None = None

    def read(self) -> RunProgress | None:
        """Return the progress so far; None while there is no journal."""
        journal = self._folder / JOURNAL
        if not journal.is_file() or journal.stat().st_size < self._offset:  # replaced, or cut off after a kill
            self._offset, self._progress = 0, None
        try:
            for line in read_json_lines(journal, offset=self._offset):
                self._add(line.record)
                self._offset = line.end
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedLineError as error:
            if not error.half_written:  # another journal took its place: read that one from its start, next time
                self._offset = sys.maxsize
        return self._progress

    def _add(self, record: dict[str, Any]) -> None:
        if self._progress is None:
            self._progress = RunProgress(yaml.safe_load((self._folder / CONFIG).read_text(encoding="utf-8")), record)
        else:
            self._progress.add(record)
