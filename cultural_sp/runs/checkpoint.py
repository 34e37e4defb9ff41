"""Responses that a run has so far, on disk: a resumed run asks nobody twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Generic, TypeVar

from cultural_sp.runs.records import read_record
from cultural_sp.runs.result import KnowledgeScore, ScoreRow, to_json
from cultural_sp.runs.validity import Validity
from cultural_sp.utils.files import REPLACE_HINT, disk_errors, write_text
from cultural_sp.utils.json_lines import JsonLines
from cultural_sp.utils.serialize import jsonable


def cached_validity(path: Path, check: Callable[[], Validity]) -> Validity:
    """Return the validity check saved in ``path``, or the outcome of ``check``, which is saved.

    Raises:
        ValueError: if the file can't be read or written.
    """
    if path.exists():
        with disk_errors(path):
            text = path.read_bytes()
        try:
            return read_record(Validity, text)
        except ValueError as error:
            raise ValueError(
                f"{path} is no validity check of this program ({error}); delete it, or {REPLACE_HINT}"
            ) from error
    validity = check()
    write_text(path, to_json(validity))
    return validity


Row = TypeVar("Row", ScoreRow, KnowledgeScore)


class ResponseCache(Generic[Row]):
    """The answers of every respondent so far: one line each of ``scores.jsonl`` or ``knowledge.jsonl``."""

    def __init__(self, path: Path, row: Callable[..., Row], settings: str) -> None:
        """Read the respondents that ``path`` already holds.

        Args:
            path: the file; made with the first answers.
            row: makes a row of a respondent's answers from its fields.
            settings: hash of the settings that the answers depend on; answers under others are left out.

        Raises:
            ValueError: if the file is damaged.
        """
        self._lines, self._settings = JsonLines(path), settings
        self._rows: dict[str, list[Row]] = {}
        for line in self._lines.read():
            record = line.record
            try:
                if record["settings"] == settings:
                    self._rows[record["respondent"]] = [row(**answers) for answers in record["answers"]]
            except (KeyError, TypeError) as error:
                raise self._lines.damaged(line.number, str(error)) from error

    def answers(self, respondent: str, ask: Callable[[], list[Row]]) -> list[Row]:
        """Return the saved answers of a respondent, or the result of ``ask``, which is saved.

        Raises:
            ValueError: if the answers can't be written.
        """
        if respondent not in self._rows:
            self._rows[respondent] = ask()
            answers = [jsonable(asdict(x)) for x in self._rows[respondent]]
            self._lines.append([{"respondent": respondent, "settings": self._settings, "answers": answers}])
        return self._rows[respondent]
