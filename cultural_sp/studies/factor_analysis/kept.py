"""Answers of simulated respondents, kept one by one: an interrupted analysis goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.search.journal import jsonable
from cultural_sp.types import Array
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import WAY_OUT, JsonLines


class RespondentCache:
    """``answers.jsonl``: what was asked in the first line, then a line per group and respondent."""

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        """Read what is in ``path``; ``asked`` is what the answers depend on.

        Raises:
            ValueError: in one line, if it is damaged or holds answers to something else.
        """
        self._lines = JsonLines(path)
        if not self._lines.records:
            self._lines.append([asked])
        else:
            differ = differences(self._lines.records[0], asked)
            if differ:
                raise ValueError(f"{path} holds the answers of another analysis: {differ}; {WAY_OUT}")
        self._kept: dict[tuple[str, int], list[float | None]] = {}
        for number, line in enumerate(self._lines.records[1:], 2):
            try:
                self._kept[line["group"], line["respondent"]] = line["answers"]
            except KeyError as error:
                raise self._lines.damaged(number, f"no {error}") from error

    def answers(self, group: str, place: int, ask: Callable[[], Array]) -> Array:
        """The kept answers [Q] of a respondent of a group, or what ``ask`` returns, which is kept; NaN is missing.

        Raises:
            ValueError: in one line, if they can't be written.
        """
        key = (group, place)
        if key not in self._kept:
            self._kept[key] = jsonable(ask().tolist())
            self._lines.append([{"group": group, "respondent": place, "answers": self._kept[key]}])
        return np.array([np.nan if x is None else x for x in self._kept[key]], dtype=float)
