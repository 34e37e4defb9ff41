"""Sets of questions about cultural knowledge, and our own small set. Loads no torch."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.strict_yaml import read_yaml

OWN_QUESTIONS = Path(__file__).parent / "data" / "own.yaml"


@dataclass(frozen=True)
class KnowledgeQuestion:
    """A question with its options. The easy form asks for one option, the hard form for a judgement of each."""

    id: str
    country: str
    text: str
    options: tuple[str, ...]
    right: tuple[bool, ...]
    """Whether each option is right. The easy form has exactly one right option."""


@dataclass(frozen=True)
class KnowledgeSet:
    """A set of questions in up to two forms."""

    name: str
    title: str
    """Its name in tables."""
    easy: tuple[KnowledgeQuestion, ...]
    """Questions that ask for one of the options."""
    hard: tuple[KnowledgeQuestion, ...]
    """Questions that ask whether each option is right; an answer counts if all judgements are right."""

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries that the questions are about, in the order of the set."""
        return tuple(dict.fromkeys(q.country for q in (*self.easy, *self.hard)))

    def fingerprint(self) -> str:
        """SHA-256 of all questions."""
        content = [[asdict(q) for q in part] for part in (self.easy, self.hard)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def about(self, countries: Sequence[str] | None) -> KnowledgeSet:
        """Return only the questions about these countries; None keeps all.

        Raises:
            ValueError: if the set has no questions about one of them.
        """
        if countries is None:
            return self
        unknown = [c for c in countries if c not in self.countries]
        if unknown:
            raise ValueError(
                f"knowledge.countries: {self.title} has nothing about {', '.join(unknown)}; "
                f"allowed: {', '.join(sorted(self.countries))}, or null for all"
            )
        easy, hard = (tuple(q for q in part if q.country in countries) for part in (self.easy, self.hard))
        return replace(self, easy=easy, hard=hard)


def load_own(path: Path = OWN_QUESTIONS) -> KnowledgeSet:
    """Load our own questions, or another file of the same form.

    Each entry has a country, a text, the right option, three wrong options and a public source. The place of the right option
    goes from first to fourth and starts again.

    Raises:
        ValueError: if the file can't be read or an entry is wrong; it names both.
    """
    try:
        raw = read_yaml(path)
        questions = tuple(_question(i, entry) for i, entry in enumerate(raw["questions"]))
        if not questions:
            raise ValueError("it has no questions")
        return KnowledgeSet(str(raw["name"]), str(raw["title"]), questions, questions)
    except OSError as error:
        raise ValueError(
            f"knowledge.source={path}: can't read the file ({error.strerror}); give a file like {OWN_QUESTIONS.name}"
        ) from error
    except KeyError as error:
        raise ValueError(f"knowledge.source={path}: {error} is missing; compare with {OWN_QUESTIONS.name}") from error
    except (ValueError, TypeError, AttributeError) as error:
        reason = reason_of(error)
        raise ValueError(f"knowledge.source={path}: {reason}; compare with {OWN_QUESTIONS.name}") from error


def _question(number: int, entry: dict[str, Any]) -> KnowledgeQuestion:
    texts = [entry["country"], entry["text"], entry["right"], *entry["wrong"], entry["source"]]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(
            f"question {number + 1} needs texts, in quotes where YAML reads something else, got {reprlib.repr(texts)}"
        )
    options = list(entry["wrong"])
    if len(options) != 3 or entry["right"] in options or len(set(options)) < 3:
        raise ValueError(f"question {number + 1} needs three different wrong options")
    place = number % 4
    options.insert(place, entry["right"])
    right = tuple(i == place for i in range(4))
    return KnowledgeQuestion(f"{number + 1:03d}", entry["country"], entry["text"], tuple(options), right)
