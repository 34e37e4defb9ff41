"""Results before and after the searches, kept as they come: a run that goes on doesn't compute them twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Generic, TypeVar

from cultural_sp.runs.result import KnowledgeScore, ScoreRow, Validity, as_json, read_validity
from cultural_sp.utils.files import WAY_OUT, JsonLines, disk_errors, write_text
from cultural_sp.utils.serialize import jsonable


def cached_validity(path: Path, check: Callable[[], Validity]) -> Validity:
    """The validity in ``path``, or what ``check`` returns, which is written there.

    Raises:
        ValueError: in one line, if the file can't be read or written.
    """
    if path.exists():
        try:
            with disk_errors(path):
                return read_validity(json.loads(path.read_text(encoding="utf-8")))
        except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(
                f"{path} is no validity check of this program ({error}); delete it, or {WAY_OUT}"
            ) from error
    validity = check()
    write_text(path, as_json(validity))
    return validity


Row = TypeVar("Row", ScoreRow, KnowledgeScore)


class ResponseCache(Generic[Row]):
    """What each respondent answered, a line of ``scores.jsonl`` or ``knowledge.jsonl`` each."""

    def __init__(self, path: Path, row: Callable[..., Row]) -> None:
        """Read the respondents that are already in ``path``, whose answers are rows of this kind.

        Raises:
            ValueError: in one line, if it is damaged.
        """
        self._lines = JsonLines(path)
        self._kept: dict[str, list[Row]] = {}
        for number, line in enumerate(self._lines.records, 1):
            try:
                self._kept[line["respondent"]] = [row(**answers) for answers in line["answers"]]
            except (KeyError, TypeError) as error:
                raise self._lines.damaged(number, str(error)) from error

    def answers(self, respondent: str, ask: Callable[[], list[Row]]) -> list[Row]:
        """The kept answers of a respondent, or what ``ask`` returns, which is kept.

        Raises:
            ValueError: in one line, if they can't be written.
        """
        if respondent not in self._kept:
            self._kept[respondent] = ask()
            answers = [jsonable(asdict(x)) for x in self._kept[respondent]]
            self._lines.append([{"respondent": respondent, "answers": answers}])
        return self._kept[respondent]
