"""Growth of the token tree's cost with the survey, the soft prompt and the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.chat_prompt import TokenizedPrompt, tokenize_for
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.token_tree import build_tree
from cultural_sp.studies.benchmark.measure import seconds
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.render import Rendering, render
from cultural_sp.utils.progress import progress

SURVEY_COPIES = (1, 2, 4, 10)
"""How often the survey's items are repeated."""
WORDINGS = (1, 2, 3)
VIRTUAL_TOKENS = (1, 10, 30, 100)
CANDIDATES = (1, 2, 4, 8)
"""Candidates per batch."""
REPEATS = 2
"""Measurements per size; the fastest counts."""


@dataclass(frozen=True)
class PassSize:
    """One point on an axis; everything else has its default."""

    axis: str
    value: int
    questions: list[TokenizedPrompt]
    n_virtual: int = 10
    n_candidates: int = 1


def growth(lm: LanguageModel, survey: Survey, config: SurveyConfig) -> list[dict[str, Any]]:
    """Measure every size.

    Returns:
        One row per size: axis, value, tokens of all questions, tokens of the tree, and seconds per candidate, the best of
        :data:`REPEATS` measurements.
    """
    rows = []
    sizes = list(_pass_sizes(lm, survey, config))
    with progress("growth", len(sizes)) as bar:
        for size in sizes:
            tree = build_tree(size.questions)
            forward = make_forward(lm, tree, size.n_virtual)
            prompts = lm.embeddings[: size.n_virtual].float().repeat(size.n_candidates, 1, 1)
            fastest = min(seconds(lm.embeddings.device, partial(forward, prompts))[0] for _ in range(REPEATS))
            tokens_asked = sum(len(q.before) + size.n_virtual + len(q.after) for q in size.questions)
            rows.append(
                {
                    "axis": size.axis,
                    "value": size.value,
                    "tokens_asked": tokens_asked,
                    "tokens_tree": tree.n_nodes + len(tree.before) + size.n_virtual,
                    "seconds_per_candidate": fastest / size.n_candidates,
                }
            )
            bar.update()
    return rows


def _pass_sizes(lm: LanguageModel, survey: Survey, config: SurveyConfig) -> Iterator[PassSize]:
    """Yield the sizes of every axis."""

    def questions(survey: Survey, order: str = "ascending", wording: int = 0) -> list[TokenizedPrompt]:
        administration = render(
            survey,
            wording,
            Rendering(scoring=config.scoring, layout=config.layout, order=order, calibrate=config.calibrate),
        )
        return [tokenize_for(lm, q, "prefix") for q in administration.questions]

    default = questions(survey)
    for copies in SURVEY_COPIES:
        items = [
            replace(item, id=f"{item.id}_{part}", wordings=tuple(f"Part {part}: {text}" for text in item.wordings))
            for part in range(copies)
            for item in survey.items
        ]
        yield PassSize("items", len(items), questions(replace(survey, items=tuple(items))))
    for n in (n for n in WORDINGS if n <= survey.n_wordings):
        yield PassSize("wordings", n, [q for wording in range(n) for q in questions(survey, wording=wording)])
    yield PassSize("option orders", 1, default)
    yield PassSize("option orders", 2, default + questions(survey, "descending"))
    for n in VIRTUAL_TOKENS:
        yield PassSize("virtual tokens", n, default, n_virtual=n)
    for n in CANDIDATES:
        yield PassSize("candidates per batch", n, default, n_candidates=n)
