"""The knowledge questions that a config names. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.knowledge.questions import OWN_QUESTIONS, KnowledgeSet, load_own


def knowledge_from_config(config: AlignConfig) -> KnowledgeSet | None:
    """The configured knowledge questions; None if none are asked.

    Raises:
        ValueError: if they can't be found, or there are none about a country.
    """
    given = config.knowledge
    if given.kind == "none":
        return None
    if given.kind == "own":
        questions = load_own(Path(given.source) if given.source else OWN_QUESTIONS)
    else:
        from cultural_sp.evaluation.knowledge.culturalbench import load_culturalbench  # brings pandas

        questions = load_culturalbench(given.source, given.revision)
    return questions.about(given.countries)
