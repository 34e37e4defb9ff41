"""Everything that a run reads, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cultural_sp.alignment.spaces import statements_from_config
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.search.warm_start import find_journals
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.value_statements import Statement


@dataclass(frozen=True)
class RunInputs:
    """The instrument, the targets and the optional files of one run."""

    survey: Survey
    regions: tuple[Region, ...]
    """The regions to align to: one, or all of a joint run."""
    statements: tuple[Statement, ...]
    """Statements that span the search space; empty for other spaces."""
    questions: KnowledgeSet | None
    """Knowledge questions; None if the run asks none."""
    journals: tuple[Path, ...]
    """Journals of earlier runs whose evaluations seed the search."""

    @classmethod
    def from_config(cls, config: AlignConfig) -> RunInputs:
        """Read and check what the config names.

        Raises:
            ValueError: for an unknown survey, region or vintage, and for a file that can't be read or used.
        """
        survey = survey_from_config(config)
        return cls(
            survey=survey,
            regions=regions_from_config(config, survey),
            statements=statements_from_config(config),
            questions=knowledge_from_config(config),
            journals=tuple(find_journals(config.optimizer.warm_start or [], RunFolder(config).path)),
        )
