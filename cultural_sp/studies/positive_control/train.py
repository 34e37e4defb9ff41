"""Train the positive control: a LoRA on the embedded model, by gradient, on synthetic respondents."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn.functional import log_softmax

from cultural_sp.config.studies import ControlConfig
from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.lora import WEIGHTS, quiet
from cultural_sp.lm.token_tree import build_tree, option_log_probs
from cultural_sp.studies.positive_control.respondents import CurriculumStage, Respondents, TrainingBatch
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.progress import progress

# Trained on everything at once, the answers stay at chance for hundreds of steps; one text each is learnt in fifty.
STAGES = (
    CurriculumStage(1, 1, 0.0, (1,)),
    CurriculumStage(2, 2, 0.0, (1,)),
    CurriculumStage(4, 4, 0.3, (1,)),
    CurriculumStage(14, 8, 0.5, (1,)),
    CurriculumStage(14, 8, 0.5, (1, 3)),
    CurriculumStage(14, 8, 0.5, (1, 3, 3, 6)),
)
# The last steps, on top of what the stages taught: positions between the poles and of its own, in more words.
GRADES = CurriculumStage(30, 22, 0.5, (0, 0, 1, 2, 6, 6), (1, 2, 3), mixed=0.4, own=True)
PASSED, WINDOW = 0.85, 10  # a stage is passed when so many answers of the last steps are right
WARM_UP = 15  # steps
MASS_WEIGHT = 0.2  # of the log-probability of giving any valid answer at all
CLEAR = 0.5  # an answer counts as right or wrong if it should be so far from the middle of the scale
SAVE_EVERY, WATCH_EVERY = 25, 50
CHECKPOINT = "checkpoint.safetensors"
ADAPTER, MOMENTS = "adapter.", "optimizer."  # what the names of its tensors begin with
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
    last = config.steps + config.graded_steps
    with progress("training", last, state.step) as bar:
        while state.step < last:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(state.step, config)
            stage = STAGES[state.stage] if state.step < config.steps else GRADES
            lesson = respondents.lesson(stage, np.random.default_rng([config.seed, state.step]))
            loss, right = _loss(lm, lesson)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            _advance(state, float(right.mean()) if len(right) else None)
            bar.set_postfix_str(
                f"stage {state.stage + 1} of {len(STAGES)}, loss {float(loss.detach()):.2f}"
                + (f", {np.mean(state.recent):.2f} right" if state.recent else "")
            )
            bar.update()
            if state.step % SAVE_EVERY == 0 or state.step == last:
                _save(folder / CHECKPOINT, model, optimizer, state, settings)
            if state.step % WATCH_EVERY == 0:
                print(f"step {state.step}, never trained on: {validation_accuracy(lm, respondents)}", flush=True)
    return _write_adapter(folder / config.name, model, config.model.name_or_path)


def validation_accuracy(lm: LanguageModel, respondents: Respondents) -> str:
    """How well texts are answered that are never trained on: shares of right answers, and the correlation for mixes."""
    shares = []
    n_dimensions = len(respondents.survey.dimensions)
    for size in (1, n_dimensions):
        rng = np.random.default_rng(size)
        with torch.no_grad():
            right = [_loss(lm, respondents.validation_accuracy(size, rng))[1] for _ in range(4)]
        shares.append(f"{np.concatenate(right).mean():.2f} right with {size} described")
    rng, wanted, given = np.random.default_rng(0), [], []
    for _ in range(4):
        lesson = respondents.validation_accuracy(n_dimensions, rng, mixed=True)
        with torch.no_grad():
            given.append(_codes(_scores(lm, lesson).softmax(-1)).ravel())
        wanted.append(_codes(torch.from_numpy(lesson.answers)).ravel())
    correlation = np.corrcoef(torch.cat(wanted).numpy(), torch.cat(given).double().numpy())[0, 1]
    return ", ".join(shares) + f", correlation {correlation:.2f} for mixes"


def _scores(lm: LanguageModel, lesson: TrainingBatch) -> torch.Tensor:
    """Log-probabilities [N, Q, O] of the options."""
    tree = build_tree(lesson.questions)
    prompts = torch.from_numpy(lesson.prompts).to(lm.embeddings)
    return option_log_probs(tree, TreeForward(lm, tree, prompts.shape[1]).log_probs(prompts))


def _codes(probabilities: torch.Tensor) -> torch.Tensor:
    """Expected codes [N, Q]."""
    return probabilities @ torch.arange(1, probabilities.shape[-1] + 1).to(probabilities)


def _loss(lm: LanguageModel, lesson: TrainingBatch) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Cross-entropy among the options plus the mass term; which of the answers that should be clear are right."""
    scores = _scores(lm, lesson)
    wanted = torch.from_numpy(lesson.answers).to(scores)
    loss = -(wanted * log_softmax(scores, dim=-1)).sum(-1).mean() - MASS_WEIGHT * scores.logsumexp(-1).mean()
    middle = (wanted.shape[-1] + 1) / 2
    sides = _codes(wanted) - middle
    right = ((_codes(scores.detach().softmax(-1)) - middle) * sides > 0)[sides.abs() > CLEAR]
    return loss, right.cpu().numpy()


def _schedule(step: int, config: ControlConfig) -> float:
    """Warm-up, then a cosine from 1 to 0.1; half of that for the grades."""
    graded = step >= config.steps
    at, of = (step - config.steps, config.graded_steps) if graded else (step, config.steps)
    return (0.5 if graded else 1.0) * min(1.0, (at + 1) / WARM_UP) * (0.1 + 0.45 * (1 + math.cos(math.pi * at / of)))


def _advance(state: Progress, right: float | None) -> None:
    state.step += 1
    if right is not None:
        state.recent = [*state.recent, right][-WINDOW:]
    if len(state.recent) == WINDOW and np.mean(state.recent) > PASSED and state.stage + 1 < len(STAGES):
        state.stage, state.recent = state.stage + 1, []


def _write_adapter(folder: Path, model: Any, base: str) -> Path:
    """A PEFT folder in half precision."""
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
        tensors = {name: tensor.half().contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        settings = model.peft_config["default"]
        settings.base_model_name_or_path, settings.inference_mode = base, True
        settings.save_pretrained(str(folder))
    return folder


def _save(path: Path, model: Any, optimizer: torch.optim.Optimizer, state: Progress, settings: Any) -> None:
    moments = optimizer.state_dict()
    tensors = {f"{ADAPTER}{name}": x for name, x in get_peft_model_state_dict(model).items()}
    for number, entry in moments["state"].items():
        tensors |= {f"{MOMENTS}{number}.{name}": x for name, x in entry.items()}
    about = {"progress": vars(state), "settings": settings, "groups": moments["param_groups"]}
    scratch = path.with_suffix(".tmp")
    with disk_errors(path):
        save_file({k: x.contiguous() for k, x in tensors.items()}, scratch, metadata={"about": json.dumps(about)})
        scratch.replace(path)


def _restored(path: Path, model: Any, optimizer: torch.optim.Optimizer, settings: Any) -> Progress:
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as handle:
            about = json.loads(handle.metadata()["about"])
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - the handle is no mapping
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no checkpoint of a training ({error}); delete it, or choose another output_dir"
        ) from error
    differ = differences(about["settings"], settings)
    if differ:
        raise ValueError(f"{path} belongs to another training: {differ}; delete it, or choose another output_dir")
    adapter = {name.removeprefix(ADAPTER): x for name, x in tensors.items() if name.startswith(ADAPTER)}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, x in tensors.items():
        if name.startswith(MOMENTS):
            number, _, key = name.removeprefix(MOMENTS).partition(".")
            moments.setdefault(int(number), {})[key] = x
    set_peft_model_state_dict(model, adapter)
    optimizer.load_state_dict({"state": moments, "param_groups": about["groups"]})
    return Progress(**about["progress"])
