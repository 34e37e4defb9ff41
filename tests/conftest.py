import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "disabled"

import pytest
import torch
from helpers.runs import Run, folder_of
from helpers.tiny import TOY, byte_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from cultural_sp.config.groups import ModelConfig
from cultural_sp.lm.load import load_model
from cultural_sp.survey.instrument import load_survey

torch.set_num_threads(1)


def pytest_collection_finish():
    """Runs collect garbage when they let a model go; going through what was imported would be most of the work."""
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A random Llama with a byte tokenizer, saved as a model folder."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_lm(tiny_folder):
    return load_model(ModelConfig(name_or_path=str(tiny_folder)))


@pytest.fixture(scope="session")
def survey():
    return load_survey("vsm13")


@pytest.fixture(scope="session")
def toy_survey_file(tmp_path_factory):
    """Two dimensions, four items, two wordings; one item has three options."""
    path = tmp_path_factory.mktemp("surveys") / "toy.yaml"
    path.write_text(TOY)
    return path


@pytest.fixture(scope="session")
def toy_survey(toy_survey_file):
    return load_survey(str(toy_survey_file))


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take longer than all the rest of a tiny run."""
    monkeypatch.setattr("cultural_sp.alignment.outputs.save_figures", lambda *arguments: None)


@pytest.fixture(scope="session")
def short_run(tiny_folder, toy_survey_file):
    """Overrides of a run of 2 x 12 evaluations with everything in it, but for where it goes."""
    return [
        f"model.name_or_path={tiny_folder}",
        f"survey.instrument={toy_survey_file}",
        "optimizer.budget=12",
        "optimizer.population=5",
        "model.batch_size=2",
        "soft_prompt.n_tokens=3",
        "soft_prompt.dim=4",
        "readout.report_generate=false",
        "open_ended_questions=false",
    ]


@pytest.fixture(scope="session")
def whole_run(short_run, tmp_path_factory):
    """Folder of that run, which nothing stopped."""
    output = tmp_path_factory.mktemp("whole")
    code, _, errors = Run([*short_run, f"output_dir={output}"], output / "log").end()
    assert code == 0, errors
    return folder_of(output)


@pytest.fixture
def few_rounds(monkeypatch):
    """The evolution on a surrogate is what takes time there; for the functions of tests a part of it is enough."""
    from cultural_sp.search import surrogate

    monkeypatch.setattr(surrogate, "GENERATIONS", 8)
    monkeypatch.setattr(surrogate, "POPULATION", 15)
