"""A survey as data: scales, items with their wordings, and dimensions as weighted sums of item means."""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.groups import PERSONA_INSTRUCTION
from cultural_sp.survey.scoring import INDEX, Scoring, make_scoring, matrix
from cultural_sp.survey.targets import Targets, read_targets
from cultural_sp.utils.numbers import number
from cultural_sp.utils.strict_yaml import read_yaml

DATA = Path(__file__).parent / "data"
POLES = ("high", "low")
"""The two poles of every dimension."""
ROLES = ("tune", "select", "test")
"""What a wording is for: a search sees the first, selects among its candidates on the second, and is judged on the third."""
FORM = ("name", "title", "extends", "unit", "published_range", "targets", "default_vintage")
KEYS = frozenset((*FORM, "scales", "items", "dimensions", "scoring", "poles", "demonstrations"))


@dataclass(frozen=True)
class Scale:
    """The answer options of an item; ``labels[i]`` has code ``codes[i]``."""

    name: str
    labels: tuple[str, ...]
    lead: str
    """First words of the answer when the text of an option is scored."""
    codes: tuple[float, ...] = ()
    """Rising codes; 1, 2, ... if the file gives none."""

    def __post_init__(self) -> None:
        """Number the labels 1, 2, ... if there are no codes."""
        if not self.codes:
            object.__setattr__(self, "codes", tuple(range(1, len(self.labels) + 1)))

    def begun(self) -> list[tuple[str, str]]:
        """Pairs of labels of which the first begins the second, as 1 begins 10, so that one's likelihood contains the other's."""
        return [(a, b) for a in self.labels for b in self.labels if a != b and b.lower().startswith(a.lower())]


@dataclass(frozen=True)
class Item:
    """One survey item with its wordings, those to tune on first, then those to select on, then those to test on."""

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
    """Dimension -> item id -> weight; the sign is the direction of the item."""
    scoring: Scoring
    """The rule from item means to dimension scores."""
    targets: Targets
    default_vintage: str
    poles: dict[str, dict[str, str]]
    """Dimension -> ``high`` or ``low`` -> persona, for the validity check."""
    unit: str = "index points"
    """Unit of scores and losses."""
    published_range: tuple[float, float] = (0.0, 100.0)
    """Range of published scores; scores outside are possible."""
    roles: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Role -> places of its wordings, the same for every item, see :data:`ROLES`. Without roles in the file the first wording is
    tuned on, the others are tested on, and none is left to select on."""
    persona_instruction: str = PERSONA_INSTRUCTION
    """Last sentence of the personas; ``{country}`` stands for the region's name."""
    pole_instruction: str = ""
    """Last sentence of the pole personas of the validity check."""
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

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids of the Q items, in order."""
        return tuple(item.id for item in self.items)

    def measures(self) -> NDArray[np.float64]:
        """[K, Q], which items measure which dimension: 0, or a number with the sign of the item's direction."""
        return matrix(self.dimensions, self.item_ids)

    def codes(self) -> NDArray[np.float64]:
        """Answer codes [Q, O], NaN where an item has fewer options than others."""
        codes = np.full((len(self.items), self.n_options), np.nan)
        for row, item in zip(codes, self.items, strict=True):
            row[: len(item.scale.codes)] = item.scale.codes
        return codes

    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lowest and the highest code [Q] of every item."""
        low, high = np.array([(i.scale.codes[0], i.scale.codes[-1]) for i in self.items], dtype=float).T
        return low, high

    def without_poles(self) -> list[str]:
        """Dimensions that lack a high or a low pole persona, which the validity check needs."""
        return [d for d in self.dimensions if set(self.poles.get(d) or {}) != set(POLES)]

    def fingerprint(self) -> str:
        """SHA-256 of all texts that the model sees and of everything that determines the scores."""
        content: list[Any] = [[i.id, i.scale.labels, i.scale.lead, i.wordings] for i in self.items]
        parts = [content, self.roles, self.dimensions, self.poles, self.persona_instruction, self.pole_instruction]
        if any(i.scale.codes != Scale("", i.scale.labels, "").codes for i in self.items):
            parts.append([i.scale.codes for i in self.items])
        if (
            self.scoring.kind != INDEX
        ):  # C is a setting of a run, and the weights of an index are those of the dimensions
            parts.append([self.scoring.kind, self.scoring.weights.tolist(), self.scoring.constants.tolist()])
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def decimals(published_range: tuple[float, float]) -> int:
    """Decimals that show a hundredth of a range: 0 for a range of 100 points."""
    return max(0, 2 - math.floor(math.log10(published_range[1] - published_range[0])))


def available() -> list[str]:
    """Names of the instruments shipped with the package."""
    return sorted(path.stem for path in DATA.glob("*.yaml"))


def load_survey(name_or_path: str) -> Survey:
    """Load an instrument by its name or from a YAML file.

    Raises:
        ValueError: naming the file, what is wrong and what is allowed.
    """
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        if name_or_path not in available():
            raise ValueError(
                f"survey.instrument={name_or_path!r} is unknown; allowed: {', '.join(available())} or a .yaml file"
            )
        return _survey(DATA / f"{name_or_path}.yaml", _shipped(name_or_path))
    return _survey(path, _whole(path))


@cache
def _shipped(name: str) -> dict[str, Any]:
    """Read a shipped instrument once; every job of a sweep needs it, and no caller changes it."""
    return _whole(DATA / f"{name}.yaml")


def _survey(path: Path, raw: dict[str, Any]) -> Survey:
    try:
        scales = {str(name): _scale(str(name), spec) for name, spec in raw["scales"].items()}
        items, numbers = [], []
        for spec in raw["items"]:
            if spec["scale"] not in scales:
                raise ValueError(
                    f"item {spec['id']} has the unknown scale {spec['scale']!r}; defined: {', '.join(scales)}"
                )
            by_role = _by_role(spec["wordings"])
            numbers.append({role: len(texts) for role, texts in by_role.items()})
            wordings = tuple(text for texts in by_role.values() for text in texts)
            items.append(Item(str(spec["id"]), str(spec.get("construct", "")), scales[spec["scale"]], wordings))
        dimensions = _weights(raw["dimensions"])
        _check_items(items, dimensions)
        return Survey(
            name=str(raw["name"]),
            title=str(raw["title"]),
            items=tuple(items),
            dimensions=dimensions,
            scoring=make_scoring(raw.get("scoring") or {}, [item.id for item in items], dimensions),
            targets=read_targets(raw["targets"], tuple(dimensions), path.parent, DATA),
            default_vintage=str(raw["default_vintage"]),
            poles=_poles(raw.get("poles") or {}),
            unit=str(raw.get("unit", Survey.unit)),
            published_range=_range(raw.get("published_range", Survey.published_range)),
            demonstrations=str(raw.get("demonstrations") or ""),
            roles=_places(items, numbers),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name}: incomplete or misshapen survey ({error}); compare with vsm13.yaml") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _whole(path: Path) -> dict[str, Any]:
    """Read a survey file on top of the instrument that it extends; dimensions are replaced one by one."""
    raw = _read_yaml(path)
    unknown = sorted(set(raw) - KEYS)
    if unknown:
        raise ValueError(
            f"{path.name}: unknown entry {', '.join(map(str, unknown))}; allowed: {', '.join(sorted(KEYS))}"
        )
    if "extends" not in raw:
        return raw
    lacking = [key for key in ("name", "title") if key not in raw]
    if lacking:
        raise ValueError(
            f"{path.name}: incomplete or misshapen survey ({lacking[0]!r}); one that extends another needs its own"
        )
    name = str(raw["extends"])
    if name not in available():
        raise ValueError(f"{path.name}: extends={name!r} is unknown; allowed: {', '.join(available())}")
    base = _shipped(name)
    both = {**base, **raw}
    if isinstance(raw.get("dimensions"), dict):
        both["dimensions"] = {**base["dimensions"], **raw["dimensions"]}
    return both


def _scale(name: str, spec: dict[str, Any]) -> Scale:
    labels = _texts(spec["labels"])
    codes = spec.get("codes") or []
    if not isinstance(codes, list):
        raise ValueError(f"scale {name}: codes={reprlib.repr(codes)} is not allowed; give a list of numbers")
    codes = tuple(number(code, f"scale {name}, codes") for code in codes)
    scale = Scale(name, labels, str(spec.get("lead", "")), codes)
    if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
        raise ValueError(f"scale {name} needs at least two different labels, none empty, got {list(labels)}")
    if len(scale.codes) != len(labels) or any(a >= b for a, b in pairwise(scale.codes)):
        raise ValueError(f"scale {name} needs one code per label, each above the one before, got {list(scale.codes)}")
    return scale


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


def _range(given: Any) -> tuple[float, float]:
    ends = given if isinstance(given, list | tuple) and len(given) == 2 else (0, 0)
    low, high = (number(end, "published_range") for end in ends)
    if not low < high:
        raise ValueError(f"published_range needs two numbers, the lower one first, got {given}")
    return low, high


def _texts(values: Any) -> tuple[str, ...]:
    """A list of texts; YAML turns an unquoted yes, no or 1 into something else."""
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise TypeError(
            f"expected a list of texts, in quotes where YAML reads something else, got {reprlib.repr(values)}"
        )
    return tuple(values)


def _by_role(raw: Any) -> dict[str, tuple[str, ...]]:
    """Role -> wordings, in the order of the roles; a plain list has its first wording to tune on and the others to test on."""
    if isinstance(raw, list):
        texts = _texts(raw)
        return {"tune": texts[:1], "select": (), "test": texts[1:]}
    if not isinstance(raw, dict) or not {"tune"} <= set(raw) <= set(ROLES):
        raise TypeError(
            f"wordings must be a list, or lists under {', '.join(ROLES)}, of which tune must not be missing"
        )
    return {role: _texts(raw[role]) if role in raw else () for role in ROLES}


def _places(items: Sequence[Item], numbers: Sequence[Mapping[str, int]]) -> dict[str, tuple[int, ...]]:
    """Role -> places of its wordings.

    Raises:
        ValueError: if the items have different numbers.
    """
    for item, counts in zip(items, numbers, strict=True):
        if counts != numbers[0]:
            wanted = ", ".join(f"{role} {n}" for role, n in numbers[0].items())
            raise ValueError(f"item {item.id} needs as many wordings in each role as the first item ({wanted})")
    places, first = {}, 0
    for role in ROLES:
        places[role] = tuple(range(first, first + numbers[0][role]))
        first += numbers[0][role]
    return places


def _poles(raw: Any) -> dict[str, dict[str, str]]:
    """Dimension -> pole -> persona, as in the file; the validity check checks that none is missing."""
    if not all(isinstance(text, str) and text.strip() for texts in raw.values() for text in texts.values()):
        raise TypeError("poles must map dimension -> high or low -> text, in quotes where YAML reads something else")
    return dict(raw)


def _weights(raw: dict[str, Any]) -> dict[str, dict[str, float]]:
    try:
        parsed = {str(d): {str(i): number(w, f"{d}, {i}") for i, w in weights.items()} for d, weights in raw.items()}
        if not all(parsed.values()):
            raise ValueError("every dimension needs at least one item")
        return parsed
    except (AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"dimensions must map name -> item id -> number ({error})") from error


def _check_items(items: Sequence[Item], dimensions: Mapping[str, Mapping[str, float]]) -> None:
    """Refuse items and dimensions that don't go together.

    Raises:
        ValueError: the message doesn't name the file.
    """
    ids = [item.id for item in items]
    if not ids or not dimensions:
        raise ValueError("a survey needs at least one item and one dimension")
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"item ids must be unique, repeated: {', '.join(twice)}")
    number = len(items[0].wordings)
    for item in items:
        if len(item.wordings) != number or not all(w.strip() for w in item.wordings):
            raise ValueError(f"item {item.id} needs {number} non-empty wordings like the first item")
    for dimension, weights in dimensions.items():
        unknown = sorted(set(weights) - set(ids))
        if unknown:
            raise ValueError(
                f"dimension {dimension} uses undefined items: {', '.join(unknown)}; defined: {', '.join(ids)}"
            )
