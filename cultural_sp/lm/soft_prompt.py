"""Soft prompts: P virtual tokens of width H; initialisers, and files in PEFT's prompt-tuning layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from cultural_sp.config.groups import SoftPromptConfig
from cultural_sp.config.registries import INITIALISERS
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.files import write_bytes

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
KIND = "PROMPT_TUNING"
TENSOR = "prompt_embeddings"


def sampled_vocab(config: SoftPromptConfig, lm: LanguageModel, rng: np.random.Generator) -> SoftPrompt:
    """Embeddings [P, H] of P distinct ordinary tokens drawn at random (Lester et al. 2021, section 3.2)."""
    special = [i for i, token in lm.tokenizer.added_tokens_decoder.items() if token.special]
    known = min(len(lm.embeddings), len(lm.tokenizer))  # rows beyond the vocabulary were never trained
    ordinary = np.setdiff1d(np.arange(known), special)
    if config.n_tokens > len(ordinary):
        raise ValueError(
            f"soft_prompt.n_tokens={config.n_tokens} but the model has only {len(ordinary)} ordinary tokens; "
            "give fewer, or another soft_prompt.init"
        )
    return lm.embed(rng.choice(ordinary, size=config.n_tokens, replace=False))


def text(config: SoftPromptConfig, lm: LanguageModel, rng: np.random.Generator) -> SoftPrompt:
    """Embeddings [P, H] of ``init_text``, repeated or cut to P tokens as PEFT does."""
    ids = lm.tokenizer(config.init_text, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ValueError(
            "soft_prompt.init_text is empty; give a text of at least one token or another soft_prompt.init"
        )
    return lm.embed(np.resize(np.array(ids), config.n_tokens))


def embedded_text(text: str, n_tokens: int, lm: LanguageModel) -> SoftPrompt:
    """Stretch or squeeze a text into a soft prompt [P, H]: virtual token p averages the tokens in the p-th of P equal parts.

    Unlike with ``init=text`` no word is lost, and all words have about the same weight.

    Raises:
        ValueError: if the text has no token.
    """
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ValueError(f"soft_prompt.statements: the text {text!r} has no token; leave it out")
    part, token = np.arange(n_tokens)[:, None], np.arange(len(ids)) * n_tokens / len(ids)
    overlap = np.minimum(part + 1, token + n_tokens / len(ids)) - np.maximum(part, token)  # [P, T], in parts
    prompt: SoftPrompt = (np.clip(overlap, 0, None) @ lm.embed(np.array(ids))).astype(np.float32)
    return prompt


def random(config: SoftPromptConfig, lm: LanguageModel, rng: np.random.Generator) -> SoftPrompt:
    """Normal draws [P, H] with the embedding matrix's mean and standard deviation in every coordinate."""
    table = lm.embed()
    mean, std = table.mean(axis=0), table.std(axis=0)
    prompt: SoftPrompt = (mean + std * rng.standard_normal((config.n_tokens, lm.hidden_size))).astype(np.float32)
    return prompt


def from_file(config: SoftPromptConfig, lm: LanguageModel, rng: np.random.Generator) -> SoftPrompt:
    """Soft prompt [P, H] saved by an earlier run or by PEFT."""
    if not config.path:
        raise ValueError(
            "soft_prompt.init=file needs soft_prompt.path=FOLDER, the soft_prompt folder of an earlier run"
        )
    return configured_prompt(config, lm)


def initial_prompt(config: SoftPromptConfig, lm: LanguageModel, seed: int) -> SoftPrompt:
    """Return the initial soft prompt [P, H] of a search, the same for the same seed."""
    assert config.init is not None, config.space
    prompt: SoftPrompt = INITIALISERS[config.init].make(config, lm, np.random.default_rng(seed))
    return prompt


def embedding_rms(lm: LanguageModel) -> float:
    """Root mean square of an embedding coordinate around the mean embedding: the unit of a search step."""
    table = lm.embed()
    return float(np.sqrt(np.square(table - table.mean(axis=0)).mean()))


def save_soft_prompt(folder: Path, prompt: SoftPrompt, lm: LanguageModel, placement: str) -> None:
    """Write a soft prompt [P, H] as safetensors, and as a PEFT prompt-tuning adapter where PEFT can express it.

    PEFT puts virtual tokens before everything, so only placement ``prefix`` gets an ``adapter_config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {TENSOR: torch.from_numpy(np.ascontiguousarray(prompt, dtype=np.float32))}
    # A second entry of the metadata would be written in random order.
    write_bytes(folder / WEIGHTS, save(tensors, metadata={"placement": placement}))
    if placement != "prefix":
        (folder / SETTINGS).unlink(missing_ok=True)
    else:
        from peft import PromptTuningConfig, TaskType  # slow import, needed only here

        PromptTuningConfig(
            task_type=TaskType.CAUSAL_LM,
            num_virtual_tokens=prompt.shape[0],
            token_dim=prompt.shape[1],
            num_transformer_submodules=1,
            num_attention_heads=_count(lm, "num_attention_heads", "num_heads"),
            num_layers=_count(lm, "num_hidden_layers", "num_layers"),
            base_model_name_or_path=lm.identity,
            revision=lm.revision,
            inference_mode=True,
        ).save_pretrained(str(folder))


def _count(lm: LanguageModel, *names: str) -> int:
    """Return an entry of the model's config; 1 if it has none, as models without attention.

    PEFT uses these counts for prefix tuning alone, but loads no prompt without them.
    """
    config = lm.model.config.get_text_config()
    counts = (getattr(config, name, None) for name in names)
    return next((count for count in counts if isinstance(count, int)), 1)


def configured_prompt(config: SoftPromptConfig, lm: LanguageModel) -> SoftPrompt:
    """Load the soft prompt [P, H] in the folder ``path`` and check it against the model and the config.

    Raises:
        ValueError: if it can't be read, or if width, number of tokens or placement differ.
    """
    assert config.path
    return load_soft_prompt(config.path, (config.n_tokens, lm.hidden_size), config.placement)


def prompt_for(lm: LanguageModel, path: str) -> tuple[SoftPrompt, str]:
    """Load a soft prompt [P, H] with any number of tokens for this model, and its placement.

    Raises:
        ValueError: if it can't be read or is for a model of another width.
    """
    prompt, placement = read_soft_prompt(path)
    _check_shape(path, prompt, (len(prompt), lm.hidden_size))
    return prompt, placement


def load_soft_prompt(path: str, shape: tuple[int, int], placement: str) -> SoftPrompt:
    """Read a soft prompt [P, H].

    Raises:
        ValueError: if the file can't be read or its shape or placement isn't the expected one.
    """
    prompt, saved_placement = read_soft_prompt(path)
    _check_shape(path, prompt, shape)
    if saved_placement != placement:
        raise ValueError(
            f"soft_prompt.path={path} was tuned for soft_prompt.placement={saved_placement}, not {placement}; set it so"
        )
    return prompt


def _check_shape(path: str, prompt: SoftPrompt, shape: tuple[int, int]) -> None:
    if prompt.shape != shape:
        raise ValueError(
            f"soft_prompt.path={path} holds shape {prompt.shape}, but soft_prompt.n_tokens and the model need {shape}; "
            "set soft_prompt.n_tokens to the first number and use the model it was tuned on"
        )


def read_soft_prompt(path: str) -> tuple[SoftPrompt, str]:
    """Read a soft prompt [P, H] of any model, and its placement; files of PEFT have placement ``prefix``.

    Raises:
        ValueError: if the folder holds no prompt of finite numbers, or another kind of adapter.
    """
    kind = peft_settings(path).get("peft_type", KIND)
    if kind != KIND:
        raise ValueError(f"soft_prompt.path={path} holds a {kind} adapter; give a {KIND} one, whose tokens are inputs")
    try:
        with safe_open(Path(path).expanduser() / WEIGHTS, framework="pt") as handle:
            if (names := list(handle.keys())) != [TENSOR]:
                raise ValueError(
                    f"soft_prompt.path={path}: {WEIGHTS} has the tensors {names[:3]} instead of {TENSOR!r}; give a prompt-tuning "
                    "folder"
                )
            tensor = handle.get_tensor(TENSOR)
            if not tensor.is_floating_point():
                raise ValueError(
                    f"soft_prompt.path={path} holds {tensor.dtype}; give a prompt of floating-point numbers"
                )
            tensor = tensor.float()
            placement = (handle.metadata() or {}).get("placement", "prefix")
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"soft_prompt.path={path}: can't read {WEIGHTS} ({error}); give a soft_prompt folder"
        ) from error
    if not torch.isfinite(tensor).all():
        raise ValueError(f"soft_prompt.path={path} holds numbers that are not finite; give a file that isn't damaged")
    prompt: SoftPrompt = tensor.numpy()
    return prompt, placement


def peft_settings(path: str) -> dict[str, Any]:
    """Read PEFT's ``adapter_config.json`` in a soft prompt's folder; an empty dictionary if there is none.

    Raises:
        ValueError: if it can't be read.
    """
    file = Path(path).expanduser() / SETTINGS
    try:
        settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"soft_prompt.path={path}: can't read {SETTINGS} ({error}); give a soft_prompt folder"
        ) from error
    return settings if isinstance(settings, dict) else {}
