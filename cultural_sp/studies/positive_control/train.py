"""Training of the positive control: a LoRA on the embedded model, by gradient, on synthetic respondents."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save

from cultural_sp.config.studies import ControlConfig
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.lora import WEIGHTS, without_peft_warnings
from cultural_sp.studies.positive_control.checkpoint import Checkpoint, Progress
from cultural_sp.studies.positive_control.curriculum import GRADED_STAGE, STAGES
from cultural_sp.studies.positive_control.loss import batch_loss
from cultural_sp.studies.positive_control.respondents import SyntheticRespondents
from cultural_sp.studies.positive_control.validation import validation_summary
from cultural_sp.utils.files import disk_errors, write_bytes
from cultural_sp.utils.progress import progress as progress_bar
from cultural_sp.utils.terminal import show

PASS_SHARE, PASS_WINDOW = 0.85, 10
"""A stage is passed when the mean share of right answers in the last steps exceeds this share."""
WARM_UP_STEPS = 15
SAVE_EVERY, VALIDATE_EVERY = 25, 50
"""Steps."""
CHECKPOINT = "checkpoint.safetensors"
LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def train(config: ControlConfig, lm: LanguageModel, respondents: SyntheticRespondents, folder: Path) -> Path:
    """Train the LoRA, resuming from the checkpoint in ``folder`` if there is one.

    Every step has its own random generator, seeded by the config's seed and the number of the step.

    Returns:
        Folder of the adapter.

    Raises:
        ValueError: if the checkpoint belongs to another training or a file can't be written.
    """
    torch.manual_seed(config.seed)
    model = _lora_model(config, lm)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    settings: Any = OmegaConf.to_container(OmegaConf.structured(config))
    checkpoint = Checkpoint(folder / CHECKPOINT, model, optimizer, settings)
    progress = checkpoint.restore()
    n_steps = config.steps + config.graded_steps
    with progress_bar("training", n_steps, progress.step) as bar:
        while progress.step < n_steps:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(progress.step, config)
            stage = STAGES[progress.stage] if progress.step < config.steps else GRADED_STAGE
            batch = respondents.training_batch(stage, np.random.default_rng([config.seed, progress.step]))
            loss, right = batch_loss(lm, batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            _advance(progress, float(right.mean()) if len(right) else None)
            bar.set_postfix_str(
                f"stage {progress.stage + 1} of {len(STAGES)}, loss {float(loss.detach()):.2f}"
                + (f", {np.mean(progress.recent):.2f} right" if progress.recent else "")
            )
            bar.update()
            if progress.step % SAVE_EVERY == 0 or progress.step == n_steps:
                checkpoint.save(progress)
            if progress.step % VALIDATE_EVERY == 0:
                show(f"step {progress.step}, validation: {validation_summary(lm, respondents)}")
    return _write_adapter(folder / config.name, model, config.model.name_or_path)


def _lora_model(config: ControlConfig, lm: LanguageModel) -> Any:
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=2 * config.rank,
        target_modules=LINEAR_LAYERS,
        layers_to_transform=list(range(config.first_layer, lm.model.config.num_hidden_layers)),
        task_type="CAUSAL_LM",
    )
    with without_peft_warnings():
        return get_peft_model(lm.model, lora)


def _schedule(step: int, config: ControlConfig) -> float:
    """Return the factor of the learning rate: warm-up, then a cosine from 1 to 0.1. The graded stage has half of that."""
    graded = step >= config.steps
    index, length = (step - config.steps, config.graded_steps) if graded else (step, config.steps)
    warm_up = min(1.0, (index + 1) / WARM_UP_STEPS)
    return (0.5 if graded else 1.0) * warm_up * (0.1 + 0.45 * (1 + math.cos(math.pi * index / length)))


def _advance(progress: Progress, right: float | None) -> None:
    """Count a step with this share of right answers (None without clear answers), and move to the next stage if passed."""
    progress.step += 1
    if right is not None:
        progress.recent = [*progress.recent, right][-PASS_WINDOW:]
    passed = len(progress.recent) == PASS_WINDOW and np.mean(progress.recent) > PASS_SHARE
    if passed and progress.stage + 1 < len(STAGES):
        progress.stage, progress.recent = progress.stage + 1, []


def _write_adapter(folder: Path, model: Any, base: str) -> Path:
    """Write a PEFT folder in half precision."""
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
        tensors = {name: tensor.half().contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
        write_bytes(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
        settings = model.peft_config["default"]
        settings.base_model_name_or_path, settings.inference_mode = base, True
        settings.save_pretrained(str(folder))
    return folder
