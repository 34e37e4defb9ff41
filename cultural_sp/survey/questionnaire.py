"""Loader for a user's own licensed questionnaire: its question and option texts replace the tuned wording.

The published VSM questions are copyrighted and not part of this package. A user with a licensed copy writes it into a file:

* CSV (UTF-8, comma): columns ``item``, ``text`` and, optionally, ``option_1`` ... ``option_O``; one row per item.
* YAML: a list of mappings ``{item: m01, text: ..., options: [...]}``.

Options are in the order of their codes (``option_1`` is code 1). Without options the labels of the instrument are used.
The held-out wordings remain those of the instrument, so results stay comparable.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cultural_sp.survey.instrument import Survey
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.strict_yaml import read_yaml
from cultural_sp.utils.tables import read_table

Row = tuple[str, str, tuple[str, ...]]


def apply_questionnaire(survey: Survey, path: str) -> Survey:
    """Return ``survey`` with the texts of the questionnaire file as the wording to tune on.

    Raises:
        ValueError: if the file can't be read, misses or repeats an item, or has the wrong number of options.
    """
    rows = _read(Path(path))
    expected = [item.id for item in survey.items]
    given_ids = [item for item, _, _ in rows]
    repeated = sorted({i for i in given_ids if given_ids.count(i) > 1})
    for problem, ids in (
        ("lacks", [i for i in expected if i not in given_ids]),
        ("repeats", repeated),
        ("has unknown items", [i for i in given_ids if i not in expected]),
    ):
        if ids:
            raise ValueError(
                f"survey.questionnaire={path} {problem}: {', '.join(ids)}; {survey.name} needs each of "
                f"{expected[0]}..{expected[-1]} exactly once"
            )
    by_id = {item: (text, options) for item, text, options in rows}
    items = []
    for item in survey.items:
        text, options = by_id[item.id]
        allowed = len(item.scale.labels)
        if not text:
            raise ValueError(f"survey.questionnaire={path}: item {item.id} has an empty text; write its question there")
        if options and (len(options) != allowed or not all(options) or len(set(options)) < allowed):
            raise ValueError(
                f"survey.questionnaire={path}: item {item.id} has {len(options)} options {list(options)}; {survey.name} "
                f"allows exactly {allowed} different, non-empty ones (or none, to keep the instrument's labels)"
            )
        scale = replace(item.scale, name=f"{item.scale.name}@{item.id}", labels=options) if options else item.scale
        items.append(replace(item, scale=scale, wordings=(text, *item.wordings[1:])))
    return replace(survey, items=tuple(items), title=f"{survey.title}, tuned wording from {Path(path).name}")


def _read(path: Path) -> list[Row]:
    if path.suffix.lower() in {".yaml", ".yml"}:
        return _from_yaml(path)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"survey.questionnaire={path} has the ending {path.suffix!r}; allowed: .csv, .yaml, .yml")
    return _from_csv(path)


def _from_csv(path: Path) -> list[Row]:
    table = read_table(path, f"survey.questionnaire={path}")
    options = [c for c in table.columns if c.startswith("option_")]
    if table.columns != ("item", "text", *(f"option_{i + 1}" for i in range(len(options)))):
        raise ValueError(
            f"survey.questionnaire={path} has the columns {list(table.columns)}; expected item,text or "
            "item,text,option_1,option_2,..."
        )
    rows = []
    for row in table.rows:
        labels = tuple(row[c].strip() for c in options)
        rows.append((row["item"].strip(), row["text"].strip(), labels if any(labels) else ()))
    return rows


def _from_yaml(path: Path) -> list[Row]:
    try:
        return [_yaml_row(**row) for row in read_yaml(path)]
    except OSError as error:
        raise ValueError(f"survey.questionnaire={path} can't be read ({error.strerror}); give a YAML file") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = reason_of(error)
        raise ValueError(
            f"survey.questionnaire={path} is not a list of {{item, text, options}} ({reason}); see docs/surveys.md"
        ) from error


def _yaml_row(item: str, text: str, options: list[str] | None = None) -> Row:
    """Check one row; YAML turns an unquoted yes, no or 1 into something that isn't text."""
    options = [] if options is None else options
    if not isinstance(options, list) or not all(isinstance(value, str) for value in (item, text, *options)):
        raise TypeError(f"item {item}: text and options must be text, put them in quotes")
    return item.strip(), text.strip(), tuple(option.strip() for option in options)
