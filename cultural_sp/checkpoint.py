"""Results before and after the searches, kept as they come: a run that goes on doesn't compute them twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cultural_sp.files import WAY_OUT, JsonLines, using, write_text
from cultural_sp.results import ScoreRecord, Validity, as_json, read_validity
from cultural_sp.search.journal import jsonable


def kept_validity(path: Path, check: Callable[[], Validity]) -> Validity:
    """The validity in ``path``, or what ``check`` returns, which is written there.

    Raises:
        ValueError: in one line, if the file can't be read or written.
    """
    if path.exists():
        try:
            with using(path):
                return read_validity(json.loads(path.read_text(encoding="utf-8")))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{path} is no validity check of this program ({error}); delete it, or {WAY_OUT}"
            ) from error
    validity = check()
    write_text(path, as_json(validity))
    return validity


class KeptScores:
    """The records of each method, a line of ``scores.jsonl`` each."""

    def __init__(self, path: Path) -> None:
        """Read the methods that are already in ``path``.

        Raises:
            ValueError: in one line, if it is damaged.
        """
        self._lines = JsonLines(path)
        self._kept: dict[str, list[ScoreRecord]] = {}
        for number, line in enumerate(self._lines.records, 1):
            try:
                self._kept[line["method"]] = [ScoreRecord(**record) for record in line["records"]]
            except (KeyError, TypeError) as error:
                raise self._lines.damaged(number, str(error)) from error

    def records(self, method: str, score: Callable[[], list[ScoreRecord]]) -> list[ScoreRecord]:
        """The kept records of a method, or what ``score`` returns, which is kept.

        Raises:
            ValueError: in one line, if they can't be written.
        """
        if method not in self._kept:
            self._kept[method] = score()
            self._lines.append([{"method": method, "records": [jsonable(asdict(r)) for r in self._kept[method]]}])
        return self._kept[method]
