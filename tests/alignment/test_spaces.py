from types import SimpleNamespace

import numpy as np
import pytest

from cultural_sp.alignment.spaces import coordinate_labels, search_space, statements_from_config
from cultural_sp.config.groups import SoftPromptConfig
from cultural_sp.lm.soft_prompt import embedded_text

TEXT = """PDI: {high: [Obey., Know your place.], low: [Everybody is equal., Ask.]}
IVR: {high: [Enjoy.], low: [Duty first.]}
"""


@pytest.fixture
def config(tmp_path):
    def make(text=TEXT, **changes):
        path = tmp_path / "statements.yaml"
        path.write_text(text)
        given = {"space": "poles", "init": None, "statements": str(path), "n_tokens": 6, "scale": 1.0}
        return SimpleNamespace(soft_prompt=SoftPromptConfig(**{**given, **changes}), seed=0)

    return make


def test_one_and_minus_one_are_the_opposite_texts_and_zero_lies_between(config, tiny_lm):
    space = search_space(config(), tiny_lm)
    assert space.dim == 3
    high, low, middle = space.decode(np.array([[1.0] * 3, [-1.0] * 3, [0.0] * 3]))
    texts = {"high": ("Obey.", "Know your place.", "Enjoy."), "low": ("Everybody is equal.", "Ask.", "Duty first.")}
    for found, pole in ((high, "high"), (low, "low")):
        wanted = np.concatenate([embedded_text(text, 2, tiny_lm) for text in texts[pole]])
        assert found == pytest.approx(wanted, abs=1e-5)
    assert middle == pytest.approx((high + low) / 2, abs=1e-5)
    assert middle == pytest.approx(space.initial)


def test_a_coordinate_moves_its_own_virtual_tokens_only(config, tiny_lm):
    space = search_space(config(scale=2.0), tiny_lm)
    moved = space.decode(np.array([[0.0, 1.0, 0.0]]))[0] - space.initial
    assert np.abs(moved[2:4]).max() > 0
    assert not moved[[0, 1, 4, 5]].any()
    single = search_space(config(), tiny_lm).decode(np.array([[0.0, 2.0, 0.0]]))[0]
    assert space.initial + moved == pytest.approx(single)


def test_the_axes_can_be_read(config):
    assert [(a.dimension, a.text) for a in coordinate_labels(config())] == [
        ("PDI", "Obey. / Everybody is equal."),
        ("PDI", "Know your place. / Ask."),
        ("IVR", "Enjoy. / Duty first."),
    ]


def test_pairs_that_do_not_fit_are_one_line(config):
    with pytest.raises(ValueError, match=r"soft_prompt.n_tokens=10 .* a multiple of 3"):
        statements_from_config(config(n_tokens=10))
    with pytest.raises(ValueError, match="PDI has 2 high and 1 low statements"):
        statements_from_config(config("PDI:\n  high: [a b, c]\n  low: [d]\n"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init": "random"}, "soft_prompt.init=random does not go with soft_prompt.space=poles"),
        (
            {"space": "projection", "statements": None},
            "soft_prompt.init=None does not go with soft_prompt.space=projection",
        ),
        ({"statements": None}, "soft_prompt.statements=None does not go with soft_prompt.space=poles"),
    ],
)
def test_settings_that_belong_together(config, changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)
