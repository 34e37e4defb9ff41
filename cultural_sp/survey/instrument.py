"""A survey as data: scales, items with their wordings, and dimensions as weighted sums of item means."""

from __future__ import annotations

import hashlib
import json
import reprlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.survey.yaml_file import read_yaml

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Scale:
    """The answer options of an item; ``labels[i]`` has code ``i + 1``."""

    name: str
    labels: tuple[str, ...]
    lead: str
    """Words that open the answer when an option's own text is scored."""


@dataclass(frozen=True)
class Item:
    """One survey item; ``wordings[0]`` is tuned on, the others are held out."""

    id: str
    construct: str
    scale: Scale
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """An instrument of Q items and K dimensions."""

    name: str
    title: str
    items: tuple[Item, ...]
    dimensions: dict[str, dict[str, float]]
    """Dimension -> item id -> weight; an index is the weighted sum of item means plus a constant."""
    targets: str
    """CSV of regional targets, a file name in this package's data folder."""
    default_vintage: str
    poles: dict[str, dict[str, str]]
    """Dimension -> ``high`` or ``low`` -> persona, for the validity check."""
    demonstrations: str = ""
    """Claims about other constructs, for the baseline with demonstrations: a shipped list's name or a file; empty for none."""

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """Names of the K dimensions, in order."""
        return tuple(self.dimensions)

    @property
    def n_wordings(self) -> int:
        """Number of wordings that every item has."""
        return len(self.items[0].wordings)

    @property
    def n_options(self) -> int:
        """The largest number of options O over the items."""
        return max(len(item.scale.labels) for item in self.items)

    def weights(self) -> NDArray[np.float64]:
        """Weights [K, Q] of every item mean in every index."""
        return np.array([[w.get(item.id, 0.0) for item in self.items] for w in self.dimensions.values()])

    def codes(self) -> NDArray[np.float64]:
        """Answer codes [Q, O], NaN where an item has fewer options than others."""
        codes = np.full((len(self.items), self.n_options), np.nan)
        for row, item in zip(codes, self.items, strict=True):
            row[: len(item.scale.labels)] = np.arange(1, len(item.scale.labels) + 1)
        return codes

    def fingerprint(self) -> str:
        """SHA-256 of everything the model is shown and everything the scores depend on."""
        content = [[i.id, i.scale.labels, i.scale.lead, i.wordings] for i in self.items]
        text = json.dumps([content, self.dimensions, self.poles], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def available() -> list[str]:
    """Names of the instruments shipped with the package."""
    return sorted(path.stem for path in DATA.glob("*.yaml"))


def load_survey(name_or_path: str) -> Survey:
    """Load an instrument by its name or from a YAML file.

    Raises:
        ValueError: in one line naming the file, what is wrong and what is allowed.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = DATA / f"{name_or_path}.yaml"
        if name_or_path not in available():
            raise ValueError(
                f"survey.instrument={name_or_path!r} is unknown; allowed: {', '.join(available())} or a .yaml file"
            )
    raw = _read_yaml(path)
    if "extends" in raw and {"name", "title"} <= raw.keys():
        if raw["extends"] not in available():
            raise ValueError(f"{path.name}: extends={raw['extends']!r} is unknown; allowed: {', '.join(available())}")
        base = load_survey(raw["extends"])
        weights = {**base.dimensions, **_weights(path, raw.get("dimensions", {}))}
        return _checked(path, replace(base, name=str(raw["name"]), title=str(raw["title"]), dimensions=weights))
    try:
        scales = {
            name: Scale(name, _texts(spec["labels"]), str(spec.get("lead", ""))) for name, spec in raw["scales"].items()
        }
        items = []
        for spec in raw["items"]:
            if spec["scale"] not in scales:
                raise ValueError(
                    f"{path.name}: item {spec['id']} has the unknown scale {spec['scale']!r}; defined: {', '.join(scales)}"
                )
            wordings = _texts(spec["wordings"])
            items.append(Item(str(spec["id"]), str(spec.get("construct", "")), scales[spec["scale"]], wordings))
        survey = Survey(
            name=str(raw["name"]),
            title=str(raw["title"]),
            items=tuple(items),
            dimensions=_weights(path, raw["dimensions"]),
            targets=str(raw["targets"]),
            default_vintage=str(raw["default_vintage"]),
            poles=_poles(raw.get("poles") or {}),
            demonstrations=str(raw.get("demonstrations") or ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name}: incomplete or misshapen survey ({error}); compare with vsm13.yaml") from error
    return _checked(path, survey)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = read_yaml(path)
    except OSError as error:
        raise ValueError(f"cannot read the survey file {path}: {error.strerror}; give a .yaml file") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}; compare with vsm13.yaml") from error
    if not isinstance(raw, dict):
        raise ValueError(f"{path.name}: expected a mapping with name, scales, items and dimensions at the top level")
    return raw


def _texts(values: Any) -> tuple[str, ...]:
    """A list of texts; YAML turns an unquoted yes, no or 1 into something else."""
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise TypeError(
            f"expected a list of texts, in quotes where YAML reads something else, got {reprlib.repr(values)}"
        )
    return tuple(values)


def _poles(raw: Any) -> dict[str, dict[str, str]]:
    """Dimension -> pole -> persona, as the file has them; which a run needs is checked where it needs them."""
    if not all(isinstance(text, str) and text.strip() for texts in raw.values() for text in texts.values()):
        raise TypeError("poles must map dimension -> high or low -> text, in quotes where YAML reads something else")
    return dict(raw)


def _weights(path: Path, raw: dict[str, Any]) -> dict[str, dict[str, float]]:
    try:
        parsed = {str(d): {str(i): float(w) for i, w in weights.items()} for d, weights in raw.items()}
        if not all(weights and np.isfinite(list(weights.values())).all() for weights in parsed.values()):
            raise ValueError("every dimension needs at least one item, and weights must be finite")
        return parsed
    except (AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: dimensions must map name -> item id -> number ({error})") from error


def _checked(path: Path, survey: Survey) -> Survey:
    ids = [item.id for item in survey.items]
    if not ids or not survey.dimensions:
        raise ValueError(f"{path.name}: a survey needs at least one item and one dimension")
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"{path.name}: item ids must be unique, repeated: {', '.join(twice)}")
    for item in survey.items:
        labels = item.scale.labels
        if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
            raise ValueError(
                f"{path.name}: scale {item.scale.name} needs at least two different labels, none empty, got {list(labels)}"
            )
        if len(item.wordings) != survey.n_wordings or not all(w.strip() for w in item.wordings):
            raise ValueError(
                f"{path.name}: item {item.id} needs {survey.n_wordings} non-empty wordings like the first item"
            )
    for dimension, weights in survey.dimensions.items():
        unknown = sorted(set(weights) - set(ids))
        if unknown:
            raise ValueError(f"{path.name}: dimension {dimension} uses undefined items: {', '.join(unknown)}")
    return survey
