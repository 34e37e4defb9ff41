"""LoRA adapters merged into a model's weights."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftType, get_peft_model, load_peft_weights, set_peft_model_state_dict
from transformers import PreTrainedModel

from cultural_sp.utils.errors import reason_of

WEIGHTS = "adapter_model.safetensors"
MERGE_TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.25, torch.float16: 0.1}
"""Mean differences between log-probabilities, in nats, that rounding of the merged weights explains."""


@contextmanager
def without_peft_warnings() -> Iterator[None]:
    """Silence the deprecation warnings of peft's own calls during the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings")  # merged() takes care of it
        yield


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Return the model with a PEFT LoRA merged into its weights.

    Input and output embeddings that share their weights are separated first if the LoRA changes only one of them. The merged
    model must give the log-probabilities of the model with the LoRA beside it.

    Raises:
        ValueError: if the folder holds no LoRA, or one for another model, or one that can't be merged.
    """
    try:
        settings = PeftConfig.from_pretrained(str(folder))
        if settings.peft_type != PeftType.LORA:
            raise ValueError(f"it is a {settings.peft_type.value} adapter")
        if not (folder / WEIGHTS).is_file():  # peft would unpickle a .bin file
            raise ValueError(f"it has no {WEIGHTS}")
        given = load_peft_weights(str(folder), device="cpu")
        odd = [name for name, x in given.items() if not (x.is_floating_point() and x.isfinite().all())]
        if odd:
            raise ValueError(f"{odd[0]} holds no floating-point numbers, or some that are not finite")
        settings.base_model_name_or_path = model.name_or_path  # not the path of the training machine
        adapted = _with_adapter(model, settings, given)
        expected = _log_probs(adapted)
        _untie(model, given)
        whole: PreTrainedModel = adapted.merge_and_unload()
        gap = float((_log_probs(whole) - expected).abs().mean())
        if not gap <= MERGE_TOLERANCES.get(whole.dtype, 0.25):
            raise ValueError(
                f"merged, its log-probabilities differ by {gap:.2g} from those with the LoRA beside the model"
            )
    except Exception as error:  # any error that peft raises for a damaged file
        reason = reason_of(error)
        raise ValueError(
            f"model.adapter={folder} can't be merged into the model; give a folder with adapter_config.json and the weights of a "
            f"LoRA that was trained on it ({reason})"
        ) from error
    return whole


def _with_adapter(model: PreTrainedModel, settings: PeftConfig, weights: Mapping[str, torch.Tensor]) -> Any:
    """Return the model with an adapter beside its weights.

    Raises:
        ValueError: if weights are missing or left over.
    """
    with without_peft_warnings():
        adapted: Any = get_peft_model(model, settings, autocast_adapter_dtype=False)
    wanted = {name for name, _ in adapted.named_parameters() if "lora_" in name}
    report = set_peft_model_state_dict(adapted, dict(weights))
    lacking = sorted(wanted & set(report.missing_keys))
    if lacking or report.unexpected_keys:
        raise ValueError(f"its weights lack {lacking[:3]} and have {report.unexpected_keys[:3]} too many")
    return adapted.eval()


def _untie(model: PreTrainedModel, adapter_keys: Collection[str]) -> None:
    """Give the output embeddings weights of their own if they are the input embeddings and an adapter beside them changes these.

    Trained tokens are left out: peft changes them at both ends.
    """
    wrapped = model.get_input_embeddings(), model.get_output_embeddings()
    first, last = map(_without_adapter, wrapped)
    if last is None or last.weight is not first.weight:
        return
    ends = [name for name, module in model.named_modules() if any(module is end for end in wrapped)]
    if not any(f".{end}." in f".{key}" and "trainable_tokens" not in key for end in ends for key in adapter_keys):
        return
    last.weight = torch.nn.Parameter(last.weight.detach().clone(), requires_grad=False)
    model.all_tied_weights_keys = {}
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False  # or the saved model would be tied again when it is loaded


def _without_adapter(module: Any) -> Any:
    """Return the layer that peft has wrapped; the module itself if it hasn't."""
    for name in ("base_layer", "original_module"):
        if hasattr(module, name):
            return _without_adapter(getattr(module, name))
    return module


@torch.inference_mode()
def _log_probs(model: Any) -> torch.Tensor:
    """Log-probabilities [12, V] along a dozen tokens from all over the vocabulary's first half."""
    embeddings = model.get_input_embeddings().weight
    ids = torch.arange(12, device=embeddings.device) * (len(embeddings) // 24)
    log_probs: torch.Tensor = model(input_ids=ids[None], use_cache=False).logits[0].float().log_softmax(-1)
    return log_probs
