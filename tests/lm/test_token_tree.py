import numpy as np
import pytest
import torch

from cultural_sp.config import SurveyConfig
from cultural_sp.lm.prompt import TokenizedQuestion
from cultural_sp.lm.respond import Respondent, option_log_probs
from cultural_sp.lm.token_tree import build_tree


def plain_log_prob(lm, question, option, prompt):
    """Log-probability of one option by an ordinary forward pass over its own sequence."""
    ids = [*question.before, *question.after, *option]
    vectors = lm.embeddings[torch.tensor(ids)]
    cut = len(question.before)
    inputs = torch.cat([vectors[:cut], torch.from_numpy(prompt), vectors[cut:]])[None]
    with torch.inference_mode():
        log_probs = lm.model(inputs_embeds=inputs).logits[0].log_softmax(-1)
    start = inputs.shape[1] - len(option)
    return sum(float(log_probs[start + i - 1, token]) for i, token in enumerate(option))


def prompt(n, width, seed=0):
    return (0.5 * np.random.default_rng(seed).standard_normal((n, width))).astype(np.float32)


CASES = [
    {"scoring": "number", "layout": "legend_first", "option_order": "both"},
    {"scoring": "number", "layout": "question_first", "option_order": "both"},
    {"scoring": "label", "calibrate": True},
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(map(str, c.values())))
@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
@pytest.mark.parametrize(("n_tokens", "persona"), [(0, ""), (3, ""), (0, "You like bread."), (3, "You like bread.")])
def test_the_tree_equals_separate_forward_passes(tiny_lm, toy_survey, case, placement, n_tokens, persona):
    config = SurveyConfig(instrument="toy", **case)
    respondent = Respondent(tiny_lm, toy_survey, config, placement=placement, persona=persona)
    soft = prompt(n_tokens, tiny_lm.hidden_size)
    found = option_log_probs(tiny_lm, respondent.tree, torch.from_numpy(soft[None]))[0]
    questions = [q for part in respondent.tokenized for q in part]
    for row, question in zip(found, questions, strict=True):
        expected = [plain_log_prob(tiny_lm, question, option, soft) for option in question.options]
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-4)
        assert (row[len(expected) :] == -np.inf).all()


def test_the_neighbours_in_a_batch_do_not_matter(tiny_lm, toy_survey):
    config = SurveyConfig(instrument="toy")
    prompts = np.stack([prompt(3, 32, seed) for seed in range(5)])
    alone = Respondent(tiny_lm, toy_survey, config, batch_size=1).answer(prompts)
    together = Respondent(tiny_lm, toy_survey, config, batch_size=4).answer(prompts)
    np.testing.assert_allclose(alone.log_probs["none"], together.log_probs["none"], atol=1e-5)
    assert not np.allclose(alone.log_probs["none"][0], alone.log_probs["none"][1])


def test_shared_tokens_become_one_node():
    questions = [
        TokenizedQuestion((), (1, 2, 3), ((4,), (5, 6))),
        TokenizedQuestion((), (1, 2, 7), ((4,), (5, 6))),
    ]
    tree = build_tree(questions)
    # 1 2 | 3 4 5 6 | 7 4 5 6: ten nodes for two questions of five and six tokens an option
    assert tree.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7, 4, 5, 6]
    assert tree.parents.tolist() == [-1, 0, 1, 2, 2, 4, 1, 6, 6, 8]
    assert tree.depth.tolist() == [0, 1, 2, 3, 3, 4, 2, 3, 3, 4]
    assert tree.options == (((3,), (4, 5)), ((7,), (8, 9)))
    assert tree.visible[9].nonzero().flatten().tolist() == [0, 1, 6, 8, 9]


def test_mask_and_positions_put_the_prompt_between_trunk_and_tree():
    tree = build_tree([TokenizedQuestion((9, 9), (1,), ((2,), (3,)))])
    assert tree.positions(2).tolist() == [[0, 1, 2, 3, 4, 5, 5]]
    allowed = (tree.mask(2, torch.float32)[0, 0] == 0).int().tolist()
    assert allowed[1] == [1, 1, 0, 0, 0, 0, 0]
    assert allowed[3] == [1, 1, 1, 1, 0, 0, 0]
    assert allowed[5] == [1, 1, 1, 1, 1, 1, 0]
    assert allowed[6] == [1, 1, 1, 1, 1, 0, 1]


def test_impossible_trees_are_refused():
    with pytest.raises(ValueError, match="at least one question"):
        build_tree([])
    with pytest.raises(ValueError, match="share the tokens before"):
        build_tree([TokenizedQuestion((1,), (2,), ((3,),)), TokenizedQuestion((4,), (2,), ((3,),))])
    with pytest.raises(ValueError, match="at least one token"):
        build_tree([TokenizedQuestion((), (), ((3,),))])
