import os
import stat

import numpy as np
import pytest

from cultural_sp.lm.soft_prompt import load_soft_prompt, save_soft_prompt

PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def test_a_missing_folder_is_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^soft_prompt.path=\S+nowhere: can't read [^\n]+ give a soft_prompt folder$"):
        load_soft_prompt(str(tmp_path / "nowhere"), (3, 32), "prefix")


@pytest.mark.parametrize("shape", [(2, 32), (3, 31), (32, 3)])
def test_another_number_or_width_of_tokens_is_refused(tiny_lm, tmp_path, shape):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "prefix")
    with pytest.raises(ValueError, match=r"^[^\n]+ holds shape \(3, 32\), but [^\n]+$"):
        load_soft_prompt(str(tmp_path), shape, "prefix")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_enough(tiny_lm, tmp_path, value):
    damaged = PROMPT.copy()
    damaged[1, 2] = value
    save_soft_prompt(tmp_path, damaged, tiny_lm, "prefix")
    with pytest.raises(ValueError, match=r"^[^\n]+ not finite[^\n]+$"):
        load_soft_prompt(str(tmp_path), (3, 32), "prefix")


def test_a_view_with_other_strides_is_saved_as_it_reads(tiny_lm, tmp_path):
    prompt = np.asfortranarray(PROMPT.astype(np.float64))
    save_soft_prompt(tmp_path / "new" / "folder", prompt, tiny_lm, "prefix")
    loaded = load_soft_prompt(str(tmp_path / "new" / "folder"), (3, 32), "prefix")
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, PROMPT)


def test_the_files_have_the_mode_that_the_umask_gives(tiny_lm, tmp_path):
    before = os.umask(0o022)
    try:
        save_soft_prompt(tmp_path / "out", PROMPT, tiny_lm, "prefix")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert modes == {"adapter_model.safetensors": 0o644, "adapter_config.json": 0o644}
