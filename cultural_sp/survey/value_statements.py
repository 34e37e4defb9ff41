"""Short value statements by dimension and pole: the coordinates of a search space that people can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from cultural_sp.survey.instrument import DATA, POLES
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.strict_yaml import read_yaml

FOLDER = DATA / "statements"
FORM = "DIMENSION: {high: [texts], low: [texts]}"


@dataclass(frozen=True)
class Statement:
    """One statement with its dimension and pole."""

    dimension: str
    pole: str
    """high or low."""
    text: str


def load_statements(
    name_or_path: str, key: str = "soft_prompt.statements", folder: Path = FOLDER
) -> tuple[Statement, ...]:
    """Load statements [d] by the name of a shipped list or from a YAML file, in the order of the file.

    Args:
        name_or_path: the list.
        key: config key of the name, for messages.
        folder: folder of the shipped lists.

    Raises:
        ValueError: naming the file, what is wrong and what is allowed.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() not in {".yaml", ".yml"}:
        path = folder / f"{name_or_path}.yaml"
        shipped = sorted(file.stem for file in folder.glob("*.yaml"))
        if name_or_path not in shipped:
            raise ValueError(f"{key}={name_or_path!r} is unknown; allowed: {', '.join(shipped)} or a .yaml file")
    try:
        statements = _parsed(read_yaml(path))
    except OSError as error:
        raise ValueError(
            f"{key}={name_or_path}: can't read the file ({error.strerror}); give a .yaml file of the form {FORM}"
        ) from error
    except ValueError as error:
        reason = reason_of(error)
        raise ValueError(f"{key}={name_or_path}: {reason}; give UTF-8 YAML of the form {FORM}") from error
    return statements


def statements_hash(statements: Sequence[Statement]) -> str:
    """SHA-256 of the statements and their order."""
    return hashlib.sha256(json.dumps([astuple(statement) for statement in statements]).encode()).hexdigest()


def _parsed(raw: Any) -> tuple[Statement, ...]:
    if not isinstance(raw, dict) or not raw:
        raise ValueError("no dimensions at the top level")  # two poles each, so never fewer than two statements
    statements = []
    for dimension, poles in raw.items():
        if not isinstance(poles, dict) or set(poles) != set(POLES):
            raise ValueError(f"{dimension} needs the poles high and low and nothing else")
        for pole, texts in poles.items():
            if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
                raise ValueError(
                    f"{dimension}, {pole} needs a list of texts, in quotes where YAML reads something else"
                )
            statements += [Statement(str(dimension), pole, text.strip()) for text in texts]
    texts = [statement.text for statement in statements]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise ValueError(f"statements must differ, repeated: {'; '.join(twice)}")
    return tuple(statements)
