"""What a run prints before it begins."""

from __future__ import annotations

import numpy as np

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.language_model import LanguageModel


def announcement(config: AlignConfig, inputs: RunInputs, lm: LanguageModel, n_recorded: int) -> str:
    """Model, regions, survey and everything that a reader must know about them.

    Args:
        config: the run.
        inputs: its survey and regions.
        lm: the frozen model.
        n_recorded: evaluations that the journal already holds.
    """
    survey, regions = inputs.survey, inputs.regions
    vintage = regions[0].vintage
    names = ", ".join(f"{r.country}{' (estimated scores)' if r.estimated else ''}" for r in regions)
    how = f"{lm.embeddings.device}, {str(lm.embeddings.dtype).removeprefix('torch.')}, frozen"
    lines = [f"aligning {config.model.slug} ({how}) to {names} ({vintage}) on {survey.title}"]
    if config.region.codes is not None:
        lines.append(f"one joint search: all regions share {config.optimizer.budget} evaluations")
    if config.model.note:
        lines.append(f"model: {config.model.note}")
    if lm.checks.template_date is not None:
        lines.append(f"the chat template shows a date: model.template_date={lm.checks.template_date}")
    for region in regions:
        missing = [d for d, t in zip(survey.dimension_names, region.target, strict=True) if np.isnan(t)]
        if missing:
            of = f" of {region.country}" if len(regions) > 1 else ""
            lines.append(f"no target for {', '.join(missing)}{of} in {vintage}: left out of the loss of every method")
    if n_recorded:
        lines.append(f"going on: {n_recorded} of {2 * config.optimizer.budget} evaluations are there")
    return "\n".join(lines)
