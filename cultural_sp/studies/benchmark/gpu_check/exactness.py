"""The token tree against separate forward passes, on small random models of several types."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerBase

from cultural_sp.config.groups import PLACEMENTS, SurveyConfig
from cultural_sp.lm.forward import PaddedForward, TreeForward
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.survey.instrument import Survey
from cultural_sp.utils.progress import progress

SIZES = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "query_pre_attn_scalar": 32,
}
"""Shape of the small models."""
N_CANDIDATES, N_VIRTUAL = 2, 5
SETTINGS = {
    "list first": {"scoring": "number", "layout": "legend_first"},
    "question first": {"scoring": "number", "layout": "question_first"},
    "words": {"scoring": "label"},
    "words from a list": {"scoring": "list"},
}
"""Name of a rendering -> its settings of the group ``survey``."""


def exactness(
    kinds: list[str], survey: Survey, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> list[dict[str, Any]]:
    """Compare both ways for every type, placement and rendering.

    Args:
        kinds: types of models, such as llama, as transformers names them.
        survey: the instrument.
        tokenizer: of every model.
        device: where they run.

    Returns:
        One row per comparison, with the largest difference of a log-probability, in nats: between token tree and separate passes
        in float32, and of each of the two in bfloat16 from the separate passes in float32.
    """
    conditions = list(product(kinds, PLACEMENTS, SETTINGS))
    rows = []
    with progress("exactness", len(conditions)) as bar:
        for kind, placement, rendering in conditions:
            lm = small_model(kind, tokenizer, device)
            config = SurveyConfig(instrument=survey.name, **SETTINGS[rendering])  # type: ignore[arg-type]
            condition = Condition(placement=placement, persona="You are an ordinary adult.")
            rows.append(
                {"model": kind, "placement": placement, "rendering": rendering}
                | _differences(lm, survey, config, condition)
            )
            bar.update()
    return rows


def small_model(kind: str, tokenizer: PreTrainedTokenizerBase, device: torch.device) -> LanguageModel:
    """Return a random model of a type in float32; its weights are large enough that every token matters."""
    usual = AutoConfig.for_model(kind)
    sizes = {name: value for name, value in SIZES.items() if hasattr(usual, name)}
    config = AutoConfig.for_model(kind, **sizes, vocab_size=len(tokenizer), pad_token_id=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for weight in model.parameters():
            weight.data.add_(0.1 * torch.randn_like(weight))
    return LanguageModel(model.eval().requires_grad_(False).to(device), tokenizer, {}, kind, kind)


def _differences(lm: LanguageModel, survey: Survey, config: SurveyConfig, condition: Condition) -> dict[str, float]:
    half = replace(lm, model=deepcopy(lm.model).to(torch.bfloat16))
    prompts = lm.embeddings[torch.arange(N_CANDIDATES * N_VIRTUAL) * 7].reshape(N_CANDIDATES, N_VIRTUAL, -1)
    values = {}
    for name, model in {"float32": lm, "bfloat16": half}.items():
        [tree] = SurveyRespondent(model, survey, config, condition).trees
        values[name, "tree"] = TreeForward(model, tree, N_VIRTUAL)(prompts)
        values[name, "separate"] = PaddedForward(model, tree)(prompts)
    exact = values["float32", "separate"]
    spread = {key: float(np.abs((x - exact).numpy()).max()) for key, x in values.items()}
    return {
        "float32": spread["float32", "tree"],
        "bfloat16_tree": spread["bfloat16", "tree"],
        "bfloat16_separate": spread["bfloat16", "separate"],
    }
