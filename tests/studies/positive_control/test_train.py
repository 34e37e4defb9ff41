import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.config.studies import ControlConfig
from cultural_sp.lm.load import load_model
from cultural_sp.studies.positive_control.checkpoint import Progress
from cultural_sp.studies.positive_control.curriculum import STAGES, CurriculumStage
from cultural_sp.studies.positive_control.loss import batch_loss
from cultural_sp.studies.positive_control.respondents import SyntheticRespondents
from cultural_sp.studies.positive_control.train import _advance, train
from cultural_sp.studies.positive_control.validation import validation_summary


def config(folder, **changes):
    return ControlConfig(
        **{
            "model": ModelConfig(name_or_path=str(folder)),
            "survey": SurveyConfig(instrument="vsm13"),
            "rank": 4,
            "first_layer": 0,
            "steps": 3,
            "graded_steps": 1,
            **changes,
        }
    )


def trained(config, survey, folder):
    lm = load_model(config.model)
    folder.mkdir(exist_ok=True)
    return train(config, lm, SyntheticRespondents(survey, lm), folder)


def test_an_adapter_is_trained_and_merged_again(survey, tiny_folder, tmp_path):
    adapter = trained(config(tiny_folder), survey, tmp_path / "a")
    plain = load_model(ModelConfig(name_or_path=str(tiny_folder)))
    lm = load_model(ModelConfig(name_or_path=str(tiny_folder), adapter=str(adapter)))
    assert not any(p.requires_grad for p in lm.model.parameters())
    name = "model.layers.1.mlp.up_proj.weight"
    tensors = load_file(adapter / "adapter_model.safetensors")
    a, b = (tensors[f"base_model.model.model.layers.1.mlp.up_proj.lora_{x}.weight"].float() for x in "AB")
    change = lm.model.state_dict()[name] - plain.model.state_dict()[name]
    assert change.abs().max() > 1e-6
    assert torch.allclose(change, 2 * b @ a, atol=1e-5)  # alpha is twice the rank


def test_an_interrupted_training_writes_the_same_adapter(monkeypatch, survey, tiny_folder, tmp_path):
    monkeypatch.setattr("cultural_sp.studies.positive_control.train.SAVE_EVERY", 2)
    whole = trained(config(tiny_folder), survey, tmp_path / "whole")

    def stop(*arguments):
        if (tmp_path / "parts" / "checkpoint.safetensors").exists():
            raise KeyboardInterrupt
        return batch_loss(*arguments)

    monkeypatch.setattr("cultural_sp.studies.positive_control.train.batch_loss", stop)
    with pytest.raises(KeyboardInterrupt):
        trained(config(tiny_folder), survey, tmp_path / "parts")
    monkeypatch.setattr("cultural_sp.studies.positive_control.train.batch_loss", batch_loss)
    parts = trained(config(tiny_folder), survey, tmp_path / "parts")
    file = "adapter_model.safetensors"
    assert (whole / file).read_bytes() == (parts / file).read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint.safetensors belongs to another training: .*rank"):
        trained(config(tiny_folder, rank=2), survey, tmp_path / "parts")


def test_the_next_stage_begins_when_answers_are_right():
    state = Progress()
    for _ in range(9):
        _advance(state, 1.0)
    assert state.stage == 0
    _advance(state, 1.0)
    assert (state.stage, state.recent) == (1, [])
    for _ in range(80):
        _advance(state, 0.7)
    assert state.stage == 1
    for _ in range(100):
        _advance(state, None)  # no clear answer in the batch
    assert state.stage == 1
    for _ in range(100):
        _advance(state, 1.0)
    assert state.stage == len(STAGES) - 1


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(STAGES[0], id="text"),
        pytest.param(CurriculumStage(1, 1, 0.0, (6,), mix_share=1.0), id="mix", marks=pytest.mark.slow),
    ],
)
def test_training_lowers_the_loss_and_makes_answers_right(survey, tiny_folder, stage):
    lm = load_model(ModelConfig(name_or_path=str(tiny_folder)))
    respondents = SyntheticRespondents(survey, lm)
    batch = respondents.training_batch(stage, np.random.default_rng(0))
    weights = [p.requires_grad_(True) for p in lm.model.parameters()]
    before, _ = batch_loss(lm, batch)
    optimizer = torch.optim.Adam(weights, lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        loss, right = batch_loss(lm, batch)
        loss.backward()
        optimizer.step()
        if loss < before - 0.5 and right.mean() > 0.9:
            break
    assert loss < before - 0.5
    assert right.mean() > 0.9
    assert len(right) == (np.abs(batch.answers @ np.arange(1, 6) - 3) > 0.5).sum()
    assert "correlation" in validation_summary(lm, respondents)
