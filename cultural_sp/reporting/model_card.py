"""Writes the model card of a soft prompt: what it is, all its scores, their limits, and how to load it. Needs no torch."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.config.schema import AlignConfig
from cultural_sp.reporting.tables import origin
from cultural_sp.runs.result import Result, ScoreRecord
from cultural_sp.utils.files import write_text

CARD = "README.md"
NOT_IN_PEFT = (
    "PEFT puts virtual tokens before everything, the begin-of-text token included; it can't express "
    "soft_prompt.placement={}, where they stand inside a turn"
)


def write_card(folder: Path, result: Result, config: AlignConfig, survey: str, *, on_hub: bool) -> None:
    """Write the card of a run's soft prompt into its folder.

    Raises:
        ValueError: if it can't be written.
    """
    write_text(folder / CARD, card(result, config, survey, on_hub=on_hub))


def card(result: Result, config: AlignConfig, survey: str, *, on_hub: bool) -> str:
    """Return the card as Markdown, with the metadata of the hub.

    Args:
        result: result of one region.
        config: the run's config.
        survey: title of the survey.
        on_hub: whether ``model.name_or_path`` is a hub id. A model from elsewhere, or one with an adapter, must be exported as
            a folder before other programs can load it.
    """
    placement = config.soft_prompt.placement
    template_date = result.provenance.get("model_check", {}).get("template_date")
    return (
        _environment()
        .get_template("card.md")
        .render(
            metadata=yaml.safe_dump(_metadata(config, on_hub=on_hub), sort_keys=False).strip(),
            result=result,
            config=config,
            survey=survey,
            optimizer=OPTIMIZERS[result.optimizer].label,
            origin=[line for line in origin(result) if line != f"model: {result.note}"],
            rows=[_row(record) for record in result.scores],
            knowledge=[] if result.knowledge is None else [asdict(score) for score in result.knowledge.scores],
            direct=on_hub and config.model.adapter is None and template_date is None,
            template_date=template_date,
            template_args="".join(f", {key}={value!r}" for key, value in config.model.chat_template_args.items()),
            chats=result.provenance.get("chat_template_hash") != hashlib.sha256(b"").hexdigest(),
            not_in_peft=None if placement == "prefix" else NOT_IN_PEFT.format(placement),
        )
    )


@cache
def _environment() -> Environment:
    """Return the environment that compiles the card once for all regions and jobs of a process."""
    environment = Environment(
        loader=PackageLoader("cultural_sp.reporting"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(cell=_cell, quote=shlex.quote)
    return environment


def _metadata(config: AlignConfig, *, on_hub: bool) -> dict[str, Any]:
    """Return the metadata of the hub. It names the base model only if that is on the hub, which refuses others."""
    base = {"base_model": config.model.name_or_path} if on_hub else {}
    tags = ["prompt-tuning", "soft-prompt", "cultural-alignment", "cultural-sp"]
    return {"library_name": "peft", **base, "pipeline_tag": "text-generation", "tags": tags}


def _row(record: ScoreRecord) -> list[str]:
    numbers = [_cell(record.loss), *(_cell(score) for score in record.dimensions.values())]
    mass = "-" if record.valid_mass is None else f"{record.valid_mass:.4f}"
    return [record.method, record.wording, record.option_order, record.readout, *numbers, mass, f"{record.missing:.0%}"]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
