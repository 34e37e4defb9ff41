import dataclasses
import json
import re

import numpy as np
import pytest
from helpers.results import SETTINGS
from helpers.runs import call, without_bars

from cultural_sp.lm.soft_prompt import save_soft_prompt

PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def exported(monkeypatch, capsys, *overrides):
    code, out, err = call(monkeypatch, capsys, *overrides, entry="export")
    return code, out, without_bars(err)


def test_a_placement_that_peft_lacks_is_refused_with_the_reason(monkeypatch, capsys, tiny_lm, tiny_folder, tmp_path):
    save_soft_prompt(tmp_path / "prompt", PROMPT, tiny_lm, "user")
    overrides = (f"soft_prompt.path={tmp_path}/prompt", f"model.name_or_path={tiny_folder}", f"output={tmp_path}/out")
    code, _, (line,) = exported(monkeypatch, capsys, "to=peft", *overrides)
    assert code == 2
    assert "PEFT puts virtual tokens before everything" in line
    assert "soft_prompt.placement=user" in line


def test_a_prompt_for_a_model_with_an_adapter_names_both(tiny_lm, tmp_path):
    save_soft_prompt(tmp_path, PROMPT, dataclasses.replace(tiny_lm, adapter="some/lora"), "prefix")
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == f"{tiny_lm.name} + some/lora"


def test_an_exported_prompt_comes_with_its_card(monkeypatch, capsys, whole_run, tmp_path):
    code, _, _ = exported(
        monkeypatch, capsys, "to=peft", f"soft_prompt.path={whole_run}/soft_prompt", f"output={tmp_path}/out"
    )
    assert code == 0
    for name in ("adapter_model.safetensors", "README.md"):
        assert (tmp_path / "out" / name).read_bytes() == (whole_run / "soft_prompt" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("model", [pytest.param("smollm2_135m", marks=pytest.mark.exhaustive), "smollm2_135m_control"])
def test_the_code_of_the_card_loads_the_same_model_and_prompt(monkeypatch, capsys, tmp_path, model):
    """Run the commands and the code of the card: logits agree to 1e-4, and tokens are the same."""
    import torch
    from hydra import compose, initialize_config_dir

    from cultural_sp.config.compose import build_config, config_folder, register_configs
    from cultural_sp.config.schema import AlignConfig
    from cultural_sp.lm.chat_prompt import tokenize
    from cultural_sp.lm.generation import generate_text, input_embeddings
    from cultural_sp.lm.load import load_model
    from cultural_sp.lm.soft_prompt import initial_prompt
    from cultural_sp.reporting.model_card import card
    from cultural_sp.runs.result import RegionTarget, Result
    from cultural_sp.survey.render import ChatPrompt

    register_configs()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        config = build_config(compose("align", overrides=[f"model={model}", "soft_prompt.n_tokens=8"]), AlignConfig)
    lm = load_model(config.model)
    prompt = 4 * initial_prompt(config.soft_prompt, lm, 0)
    monkeypatch.chdir(tmp_path)
    save_soft_prompt(tmp_path / "soft_prompt", prompt, lm, "prefix")
    region = {"code": "us", "country": "United States", "vintage": "insights_2021", "estimated": False, "target": {}}
    origin = {
        "weights_hash_before": "",
        "config_hash": "",
        "packages": {},
        "chat_template_hash": lm.checks.chat_template_hash,
    }
    result = Result(
        "card", RegionTarget(**region), lm.name, 0, 1, [], None, origin, **(SETTINGS | {"note": config.model.note})
    )
    text = card(result, config, "a survey", on_hub=False)
    (command,) = re.findall(r"```bash\ncultural-sp export (.*)\n```", text)
    code, _, err = call(monkeypatch, capsys, *command.split(), entry="export")
    assert code == 0, err
    (loading,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(loading, names)
    turn = ChatPrompt("", "How should a team make decisions?", "", ())
    tokenized = tokenize(turn, lm.tokenizer, "prefix", {})
    printed = capsys.readouterr().out
    assert printed.strip() == generate_text(lm, [tokenized], prompt, 60)[0].strip()
    with torch.inference_mode():
        ours = lm.model(inputs_embeds=input_embeddings(lm, tokenized, prompt)[None]).logits[:, len(prompt) :]
        theirs = names["model"](input_ids=names["inputs"]["input_ids"]).logits[:, len(prompt) :]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    written = lm.model.generate(
        inputs_embeds=input_embeddings(lm, tokenized, prompt)[None], max_new_tokens=60, do_sample=False
    )
    assert written[0].tolist() == names["answer"].tolist()
