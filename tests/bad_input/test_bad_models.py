"""Models, adapters and soft prompts: files that are cut off, of the wrong type or shape, with tensors too few or too many."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from helpers.malformed import Case, ends_in_one_line
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

pytestmark = pytest.mark.slow


class Touch:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def _cut(file, bytes_left):
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:bytes_left])


def _text(file, text):
    return lambda folder: (folder / file).write_text(text)


def _json(file, **changes):
    def change(folder):
        content = json.loads((folder / file).read_text()) | changes
        (folder / file).write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))

    return change


def _without(*files):
    def remove(folder):
        for file in files:
            (folder / file).unlink()

    return remove


def _tensors(file, change):
    def rewrite(folder):
        tensors = load_file(folder / file)
        save_file(change(tensors), folder / file, metadata={"format": "pt"})

    return rewrite


def _pickle(file, instead_of):
    def write(folder):
        (folder / instead_of).unlink()
        (folder / file).write_bytes(pickle.dumps(Touch(folder / "pwned")))

    return write


def _first(change):
    def of(tensors):
        name = sorted(tensors)[0]
        return {**tensors, name: change(tensors[name])}

    return of


def _fewer(tensors):
    return {name: tensors[name] for name in sorted(tensors)[1:]}


MODEL, WEIGHTS = "model.safetensors", "adapter_model.safetensors"
MODELS = {
    "no config": _without("config.json"),
    "an empty config": _text("config.json", ""),
    "a config that is no JSON": _text("config.json", "{"),
    "a config of a list": _text("config.json", "[]"),
    "a config of an unknown kind": _json("config.json", model_type="moonshine_llm"),
    "a config without kind": _json("config.json", model_type=...),
    "a config of no language model": _json("config.json", model_type="vit"),
    "a config of another width": _json("config.json", hidden_size=64),
    "a config of more layers": _json("config.json", num_hidden_layers=3),
    "a config of odd heads": _json("config.json", num_attention_heads=3),
    "no weights": _without(MODEL),
    "empty weights": _cut(MODEL, 0),
    "half the weights": _cut(MODEL, 5000),
    "weights that are text": _text(MODEL, "hello" * 100),
    "a tensor too few": _tensors(MODEL, _fewer),
    "weights in a pickle": _pickle("pytorch_model.bin", MODEL),
    "no tokenizer": _without("tokenizer.json", "tokenizer_config.json"),
    "a broken tokenizer": _text("tokenizer.json", "{"),
    "an empty tokenizer": _text("tokenizer.json", "{}"),
    "a broken chat template": _text("chat_template.jinja", "{% for x in"),
    "a chat template that refuses": _text("chat_template.jinja", "{{ raise_exception('never') }}"),
    "a chat template that drops the question": _text("chat_template.jinja", "hello"),
    "a chat template that divides by zero": _text("chat_template.jinja", "{{ 1 / 0 }}"),
    "weights that are not finite": _tensors(MODEL, lambda t: {k: v * float("nan") for k, v in t.items()}),
}
ADAPTERS = {
    "no config": _without("adapter_config.json"),
    "a broken config": _text("adapter_config.json", "{"),
    "a config of a list": _text("adapter_config.json", "[]"),
    "a config of another kind": _json("adapter_config.json", peft_type="PREFIX_TUNING"),
    "a config of an unknown kind": _json("adapter_config.json", peft_type="WISHES"),
    "a config of other layers": _json("adapter_config.json", target_modules=["nothing_proj"]),
    "a config of another rank": _json("adapter_config.json", r=3),
    "a config of no rank": _json("adapter_config.json", r=0),
    "no weights": _without(WEIGHTS),
    "empty weights": _cut(WEIGHTS, 0),
    "half the weights": _cut(WEIGHTS, 700),
    "weights that are text": _text(WEIGHTS, "hello" * 100),
    "a tensor too few": _tensors(WEIGHTS, _fewer),
    "a tensor too many": _tensors(WEIGHTS, lambda t: {**t, "base_model.model.more.lora_A.weight": torch.zeros(2, 2)}),
    "a tensor of another shape": _tensors(WEIGHTS, _first(lambda x: torch.zeros(3, 5))),
    "integers": _tensors(WEIGHTS, lambda t: {k: v.to(torch.int64) for k, v in t.items()}),
    "numbers that are not finite": _tensors(WEIGHTS, _first(lambda x: x * float("nan"))),
    "weights in a pickle": _pickle("adapter_model.bin", WEIGHTS),
}
TENSOR = "prompt_embeddings"


def _prompt(**tensors):
    return lambda folder: save_file(tensors, folder / WEIGHTS)


GOOD = torch.zeros(3, 32)
PROMPTS = {
    "no file": lambda folder: None,
    "an empty file": _text(WEIGHTS, ""),
    "text": _text(WEIGHTS, "hello" * 100),
    "half a file": lambda folder: (_prompt(prompt_embeddings=GOOD)(folder), _cut(WEIGHTS, 200)(folder)),
    "another tensor": _prompt(embeddings=GOOD),
    "a tensor too many": _prompt(prompt_embeddings=GOOD, more=GOOD + 1),
    "integers": _prompt(prompt_embeddings=GOOD.to(torch.int64)),
    "truth values": _prompt(prompt_embeddings=GOOD.to(torch.bool)),
    "NaN": _prompt(prompt_embeddings=GOOD * float("nan")),
    "infinity": _prompt(prompt_embeddings=GOOD + float("inf")),
    "too many tokens": _prompt(prompt_embeddings=torch.zeros(4, 32)),
    "another width": _prompt(prompt_embeddings=torch.zeros(3, 31)),
    "one axis": _prompt(prompt_embeddings=torch.zeros(96)),
    "three axes": _prompt(prompt_embeddings=torch.zeros(1, 3, 32)),
    "no tokens": _prompt(prompt_embeddings=torch.zeros(0, 32)),
    "another placement": lambda folder: save_file({TENSOR: GOOD}, folder / WEIGHTS, metadata={"placement": "user"}),
    "a folder": lambda folder: (folder / WEIGHTS).mkdir(),
}
GGUF = {
    "an empty GGUF file": b"",
    "text in a GGUF file": b"hello",
    "a GGUF file's first bytes": b"GGUF\x03\0\0\0" + bytes(16),
    "half a GGUF file": b"GGUF\x03\0\0\0" + (99).to_bytes(8, "little") + (99).to_bytes(8, "little") + b"x" * 100,
}
NAMES = {
    "a folder without model": Case(["model.name_or_path={here}"], ["is not a model folder", "config.json"]),
    "a path that is none": Case(["model.name_or_path={here}/none"], ["is not a model folder"]),
    "a hub id without network": Case(
        ["model.name_or_path=no/such-model"], ["model.name_or_path=no/such-model", "hub id"]
    ),
    "a hub id of three parts": Case(["model.name_or_path=a/b/c"], ["model.name_or_path=a/b/c"]),
    "an URL": Case(["model.name_or_path='https://x.org/m'"], ["https://x.org/m"]),
    "a wheel that is none": Case(
        ["model.name_or_path=wheel:no_such_wheel/x.gguf"], ["wheel:no_such_wheel", "pip install"]
    ),
    "a file that the wheel lacks": Case(["model.name_or_path=wheel:json/x.gguf"], ["wheel:json/x.gguf", "install"]),
    "a wheel that is a path": Case(["model.name_or_path=wheel:../x/y.gguf"], ["wheel:../x"]),
    "a GGUF file that is none": Case(["model.name_or_path={here}/x.gguf"], ["x.gguf does not exist"]),
    "an adapter that is none": Case(["model.adapter={here}/none"], ["model.adapter=", "adapter_config.json"]),
    "an adapter in a wheel that is none": Case(["model.adapter=wheel:none/x"], ["model.adapter=wheel:none/x"]),
    "no path for a prompt": Case(["soft_prompt.init=file"], ["soft_prompt.path=FOLDER"]),
    "no text for a prompt": Case(["soft_prompt.init=text"], ["soft_prompt.init_text is empty"]),
    "more tokens than the model has": Case(["soft_prompt.n_tokens=1000"], ["soft_prompt.n_tokens=1000", "tokens"]),
    "a placement that does not survive": Case(
        ["model.name_or_path={here}/m", "soft_prompt.placement=user"],
        ["soft_prompt.placement=user", "placement=prefix"],
    ),
    "a text for no argument of the template": Case(["model.chat_template_args=3"], ["model.chat_template_args"]),
    "a device of another maker": Case(["model.device=mps"], ["model.device=mps", "auto or cpu"]),
}


@pytest.fixture(scope="session")
def lora(tiny_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    adapted.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_model_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, tiny_folder, name):
    shutil.copytree(tiny_folder, tmp_path / "m")
    MODELS[name](tmp_path / "m")
    case = Case(["model.name_or_path={here}/m", "output_dir={here}/out"], [])
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)
    assert not (tmp_path / "m" / "pwned").exists()


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_broken_adapter_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, lora, name):
    shutil.copytree(lora, tmp_path / "a")
    ADAPTERS[name](tmp_path / "a")
    case = Case(["model.adapter={here}/a", "output_dir={here}/out"], [f"model.adapter={tmp_path / 'a'}"])
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)
    assert not (tmp_path / "a" / "pwned").exists()


@pytest.mark.parametrize("name", PROMPTS)
def test_a_broken_soft_prompt_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, name):
    (tmp_path / "p").mkdir()
    PROMPTS[name](tmp_path / "p")
    overrides = ["soft_prompt.init=file", "soft_prompt.path={here}/p", "output_dir={here}/out"]
    ends_in_one_line(monkeypatch, capsys, tmp_path, Case(overrides, [f"soft_prompt.path={tmp_path / 'p'}"]), short_run)


@pytest.mark.parametrize("name", GGUF)
def test_a_broken_gguf_file_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, name):
    monkeypatch.setenv("CULTURAL_SP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "models").mkdir(parents=True)
    case = Case(["model.name_or_path={here}/x.gguf"], ["x.gguf", "give a GGUF file"], {"x.gguf": GGUF[name]})
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_nothing_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, tiny_folder, name):
    case = NAMES[name]
    if "{here}/m" in case.overrides[0]:
        shutil.copytree(tiny_folder, tmp_path / "m")
        (tmp_path / "m" / "chat_template.jinja").write_text("{{ messages[0]['content'] }} {{ messages[0]['content'] }}")
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, [*short_run, f"output_dir={tmp_path}/out"])


def test_the_files_that_are_broken_are_good_before(lora):
    assert all(np.isfinite(tensor.numpy()).all() for tensor in load_file(lora / WEIGHTS).values())
    assert len(load_file(lora / WEIGHTS)) == 4
