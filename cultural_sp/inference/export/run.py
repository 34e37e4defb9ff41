"""The export program: one function per format, each of which writes a folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import OmegaConf

from cultural_sp.config.inference import ExportConfig
from cultural_sp.inference.export.lm_eval import write_tasks
from cultural_sp.inference.export.prompt_embeds import README, encoded, prompt_embeds, read_questions, readme
from cultural_sp.inference.inherit_config import required_prompt_path, result_of, run_of
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import load_model, on_hub, save_model
from cultural_sp.lm.soft_prompt import configured_prompt, save_soft_prompt
from cultural_sp.reporting.model_card import NOT_IN_PEFT, write_card
from cultural_sp.runs.folder import CONFIG
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.terminal import show


def export(config: ExportConfig) -> Path:
    """Write the configured export and return its folder.

    Raises:
        ValueError: if the input is bad, the other tool can't express it, or a file can't be written.
    """
    folder = config.folder
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    EXPORTS[config.to](config, folder)
    return folder


def _export_model(config: ExportConfig, folder: Path) -> None:
    """Write the model as a folder that transformers loads."""
    save_model(load_model(config.model), folder)


def _export_peft(config: ExportConfig, folder: Path) -> None:
    """Write the soft prompt as a PEFT folder, with the model card if the prompt comes from a finished run."""
    path, placement = required_prompt_path(config), config.soft_prompt.placement
    if placement != "prefix":
        raise ValueError(f"soft_prompt.path={path} can't become a PEFT folder: {NOT_IN_PEFT.format(placement)}")
    lm, prompt = _model_and_prompt(config)
    with disk_errors(folder):
        save_soft_prompt(folder, prompt, lm, placement)
    result, run = result_of(path), run_of(path)
    if result is not None and run is not None:
        merged = OmegaConf.merge(OmegaConf.structured(config), OmegaConf.load(run.config / CONFIG))
        run_config = OmegaConf.to_object(merged)
        assert isinstance(run_config, ExportConfig)
        title = survey_from_config(run_config).title
        write_card(folder, result, run_config, title, on_hub=on_hub(run_config.model.name_or_path))


def _export_lm_eval(config: ExportConfig, folder: Path) -> None:
    """Write task files of the survey and print how to run them."""
    names = write_tasks(config, folder)
    show(f"lm_eval --include_path {shlex.quote(str(folder))} --tasks {names[0]} --apply_chat_template ...")
    show(f"tasks: {', '.join(names)}")


def _export_prompt_embeds(config: ExportConfig, folder: Path) -> None:
    """Write questions with the soft prompt as tensors, as requests to vLLM's server, and a README about them."""
    questions = read_questions(config.questions)
    lm, prompt = _model_and_prompt(config)
    embeds = [prompt_embeds(lm, question, prompt, config.soft_prompt.placement) for question in questions]
    requests = [{"question": q, "prompt_embeds": encoded(e)} for q, e in zip(questions, embeds, strict=True)]
    with disk_errors(folder):
        torch.save(embeds, folder / "prompt_embeds.pt")
    write_text(folder / "requests.jsonl", "".join(json.dumps(request) + "\n" for request in requests))
    write_text(folder / README, readme(lm, config.soft_prompt.placement))


def _model_and_prompt(config: ExportConfig) -> tuple[LanguageModel, SoftPrompt]:
    """Load the configured model and soft prompt [P, H].

    Raises:
        ValueError: if one of them can't be loaded, or the prompt is for another model.
    """
    required_prompt_path(config)  # fails before the model is loaded
    lm = load_model(config.model)
    return lm, configured_prompt(config.soft_prompt, lm)


EXPORTS: dict[str, Callable[[ExportConfig, Path], None]] = {
    "model": _export_model,
    "peft": _export_peft,
    "lm_eval": _export_lm_eval,
    "prompt_embeds": _export_prompt_embeds,
}
