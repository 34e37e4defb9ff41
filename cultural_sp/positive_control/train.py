"""Train the positive control: a LoRA on the embedded model, by gradient, on synthetic respondents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch.nn.functional import log_softmax

from cultural_sp.differences import differences
from cultural_sp.files import using
from cultural_sp.lm.adapter import quiet
from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.token_tree import build_tree, option_log_probs
from cultural_sp.positive_control.config import ControlConfig
from cultural_sp.positive_control.respondents import Lesson, Respondents, Stage
from cultural_sp.search.loop import progress

# Trained on everything at once, the answers stay at chance for hundreds of steps; one text each is learnt in fifty.
STAGES = (
    Stage(1, 1, 0.0, (1,)),
    Stage(2, 2, 0.0, (1,)),
    Stage(4, 4, 0.3, (1,)),
    Stage(14, 8, 0.5, (1,)),
    Stage(14, 8, 0.5, (1, 3)),
    Stage(14, 8, 0.5, (1, 3, 3, 6)),
)
OWN_VALUES = Stage(14, 8, 0.5, (0, 0, 1, 2, 6), own=True)  # the last steps, on top of what the stages taught
PASSED, WINDOW = (
    0.85,
    10,
)  # a stage is passed when so many answers of the last steps lie on the right side of the middle
WARM_UP = 15  # steps
MASS_WEIGHT = 0.2  # of the log-probability of giving any valid answer at all
SAVE_EVERY, WATCH_EVERY = 25, 50
CHECKPOINT = "checkpoint.pt"
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass
class Progress:
    """Where the training stands; with the adapter and the optimizer, all that is needed to go on."""

    step: int = 0
    stage: int = 0
    recent: list[float] = field(default_factory=list)
    """Shares of right answers in the last steps of the stage."""


def train(config: ControlConfig, lm: LanguageModel, respondents: Respondents, folder: Path) -> Path:
    """Train and write the adapter's folder, which is returned; goes on from the checkpoint in ``folder`` if there is one.

    Every step draws from a generator of its own, seeded by the config's seed and the step's number.
    """
    torch.manual_seed(config.seed)
    layers = list(range(config.first_layer, lm.model.config.num_hidden_layers))
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=2 * config.rank,
        target_modules=LINEAR,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    with quiet():
        model: Any = get_peft_model(lm.model, lora)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    settings = OmegaConf.to_container(OmegaConf.structured(config))
    state = _restored(folder / CHECKPOINT, model, optimizer, settings)
    last = config.steps + config.own_steps
    with progress("training", last, state.step) as bar:
        while state.step < last:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(state.step, config)
            stage = STAGES[state.stage] if state.step < config.steps else OWN_VALUES
            lesson = respondents.lesson(stage, np.random.default_rng([config.seed, state.step]))
            loss, right = _loss(lm, lesson)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            _advance(state, right)
            bar.set_postfix_str(
                f"stage {state.stage + 1} of {len(STAGES)}, {np.mean(state.recent or [right]):.2f} right"
            )
            bar.update()
            if state.step % SAVE_EVERY == 0 or state.step == last:
                _save(folder / CHECKPOINT, model, optimizer, state, settings)
            if state.step % WATCH_EVERY == 0:
                print(f"step {state.step}, never trained on: {watched(lm, respondents)}", flush=True)
    return _write_adapter(folder / config.name, model, config.model.name_or_path)


def watched(lm: LanguageModel, respondents: Respondents) -> str:
    """Shares of right answers to texts that are never trained on."""
    shares = []
    for size in (1, len(respondents.survey.dimensions)):
        rng = np.random.default_rng(size)
        with torch.no_grad():
            right = [_loss(lm, respondents.watched(size, rng))[1] for _ in range(4)]
        shares.append(f"{np.mean(right):.2f} right with {size} described")
    return ", ".join(shares)


def _loss(lm: LanguageModel, lesson: Lesson) -> tuple[torch.Tensor, float]:
    """Cross-entropy among the options plus the mass term; share of answers on the right side of the middle."""
    tree = build_tree(lesson.questions)
    nothing = lm.embeddings.new_zeros(1, 0, lm.hidden_size)
    scores = option_log_probs(tree, TreeForward(lm, tree, 0).log_probs(nothing))[0]
    wanted = torch.from_numpy(lesson.answers).to(scores)
    loss = -(wanted * log_softmax(scores, dim=-1)).sum(-1).mean() - MASS_WEIGHT * scores.logsumexp(-1).mean()
    codes = torch.arange(1, wanted.shape[1] + 1).to(scores)
    middle = codes.mean()
    given = scores.detach().softmax(-1) @ codes
    sides = wanted @ codes - middle
    right = ((given - middle) * sides > 0)[sides.abs() > 0.1]  # where there is a side
    return loss, float(right.float().mean())


def _schedule(step: int, config: ControlConfig) -> float:
    """Warm-up, then a cosine from 1 to 0.1; half of that for the model's own values."""
    own = step >= config.steps
    at, of = (step - config.steps, config.own_steps) if own else (step, config.steps)
    return (0.5 if own else 1.0) * min(1.0, (at + 1) / WARM_UP) * (0.1 + 0.45 * (1 + math.cos(math.pi * at / of)))


def _advance(state: Progress, right: float) -> None:
    state.step += 1
    state.recent = [*state.recent, right][-WINDOW:]
    if len(state.recent) == WINDOW and np.mean(state.recent) > PASSED and state.stage + 1 < len(STAGES):
        state.stage, state.recent = state.stage + 1, []


def _write_adapter(folder: Path, model: Any, base: str) -> Path:
    """A PEFT folder in half precision."""
    with using(folder):
        folder.mkdir(exist_ok=True)
        tensors = {name: tensor.half().contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        settings = model.peft_config["default"]
        settings.base_model_name_or_path, settings.inference_mode = base, True
        settings.save_pretrained(str(folder))
    return folder


def _save(path: Path, model: Any, optimizer: torch.optim.Optimizer, state: Progress, settings: Any) -> None:
    kept = {
        "adapter": get_peft_model_state_dict(model),
        "optimizer": optimizer.state_dict(),
        "progress": vars(state),
        "settings": settings,
    }
    scratch = path.with_suffix(".tmp")
    with using(path):
        torch.save(kept, scratch)
        scratch.replace(path)


def _restored(path: Path, model: Any, optimizer: torch.optim.Optimizer, settings: Any) -> Progress:
    if not path.exists():
        return Progress()
    with using(path):
        kept = torch.load(path, weights_only=True)
    differ = differences(kept["settings"], settings)
    if differ:
        raise ValueError(f"{path} belongs to another training: {differ}; delete it, or choose another output_dir")
    set_peft_model_state_dict(model, kept["adapter"])
    optimizer.load_state_dict(kept["optimizer"])
    return Progress(**kept["progress"])
