import json

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from cultural_sp.config.groups import ModelConfig
from cultural_sp.lm.load import load_model

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def adapter(tiny_folder, tmp_path):
    model = load_model(ModelConfig(name_or_path=str(tiny_folder))).model
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight)
    adapted.save_pretrained(tmp_path / "lora")
    return tmp_path / "lora", adapted


def load(tiny_folder, adapter):
    return load_model(ModelConfig(name_or_path=str(tiny_folder), adapter=str(adapter)))


def test_a_merged_adapter_answers_like_the_adapted_model(tiny_folder, adapter):
    folder, adapted = adapter
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        merged = load(tiny_folder, folder).model(ids).logits
        plain = load_model(ModelConfig(name_or_path=str(tiny_folder))).model(ids).logits
        assert torch.allclose(merged, adapted(ids).logits, atol=1e-3)
    assert (merged - plain).abs().max() > 0.1


def test_an_adapter_that_would_only_half_load_is_refused(tiny_folder, adapter):
    folder, _ = adapter
    tensors = load_file(folder / WEIGHTS)
    first = sorted(tensors)[0]
    save_file({k: v for k, v in tensors.items() if k != first}, folder / WEIGHTS)
    with pytest.raises(ValueError, match=r"model.adapter=.*lora can't be merged.*lack \['"):
        load(tiny_folder, folder)
    save_file({**tensors, "base_model.model.other.lora_A.weight": tensors[first].clone()}, folder / WEIGHTS)
    with pytest.raises(ValueError, match="too many"):
        load(tiny_folder, folder)


def test_a_lora_of_another_shape_or_kind_or_none_is_one_line(tiny_folder, adapter, tmp_path):
    folder, _ = adapter
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "r": 3}))
    with pytest.raises(ValueError, match="model.adapter=.* can't be merged") as error:
        load(tiny_folder, folder)
    assert "\n" not in str(error.value)
    PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2).save_pretrained(tmp_path / "prompt")
    with pytest.raises(ValueError, match="it is a PROMPT_TUNING adapter"):
        load(tiny_folder, tmp_path / "prompt")
    with pytest.raises(ValueError, match="model.adapter=.*nowhere can't be merged"):
        load(tiny_folder, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="model.adapter=wheel:nothing/x is not installed"):
        load(tiny_folder, "wheel:nothing/x")
