"""Cache of simulated respondents' answers on disk, so that an interrupted analysis can resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cultural_sp.types import Array
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import REPLACE_HINT
from cultural_sp.utils.json_lines import JsonLines
from cultural_sp.utils.serialize import as_array, jsonable


class RespondentCache:
    """``answers.jsonl``: a header with everything the answers depend on, then one line per group and respondent."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        """Read the cache at ``path``, or start it with this header.

        Raises:
            ValueError: if the file is damaged or has another header.
        """
        self._lines = JsonLines(path)
        if not self._lines.count:
            self._lines.append([header])
        lines = self._lines.read()
        differing = differences(next(lines).record, header)
        if differing:
            raise ValueError(f"{path} holds the answers of another analysis: {differing}; {REPLACE_HINT}")
        self._answers: dict[tuple[str, int], list[float | None]] = {}
        for line in lines:
            record = line.record
            try:
                self._answers[record["group"], record["respondent"]] = record["answers"]
            except KeyError as error:
                raise self._lines.damaged(line.number, f"no {error}") from error

    def get_or_compute(self, group: str, index: int, compute: Callable[[], Array]) -> Array:
        """Return the answers [Q] of a group's respondent; compute and store them if they aren't cached. NaN is missing.

        Raises:
            ValueError: if they can't be written.
        """
        key = (group, index)
        if key not in self._answers:
            self._answers[key] = jsonable(compute().tolist())
            self._lines.append([{"group": group, "respondent": index, "answers": self._answers[key]}])
        return as_array(self._answers[key])
