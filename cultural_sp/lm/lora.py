"""LoRA adapters merged into a model's weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftType, get_peft_model, load_peft_weights, set_peft_model_state_dict
from transformers import PreTrainedModel

from cultural_sp.utils.errors import reason_of

WEIGHTS = "adapter_model.safetensors"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the deprecation warnings of peft's own calls during the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Return the model with a PEFT LoRA merged into its weights.

    Raises:
        ValueError: if the folder holds no LoRA, or one for another model.
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
        with quiet():
            adapted: Any = get_peft_model(model, settings, autocast_adapter_dtype=False)
        wanted = {name for name, _ in adapted.named_parameters() if "lora_" in name}
        report = set_peft_model_state_dict(adapted, given)
        lacking = sorted(wanted & set(report.missing_keys))
        if lacking or report.unexpected_keys:
            raise ValueError(f"its weights lack {lacking[:3]} and have {report.unexpected_keys[:3]} too many")
        whole: PreTrainedModel = adapted.merge_and_unload()
    except Exception as error:  # any error that peft raises for a damaged file
        reason = reason_of(error, 300)
        raise ValueError(
            f"model.adapter={folder} can't be merged into the model; give a folder with adapter_config.json and the weights of a "
            f"LoRA that was trained on it ({reason})"
        ) from error
    return whole
