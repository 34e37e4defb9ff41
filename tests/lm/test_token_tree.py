import numpy as np
import pytest
import torch

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.forward import PaddedForward, TreeForward
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.lm.token_tree import build_tree, build_trees, option_log_probs
from cultural_sp.lm.tree_attention import block_size, make_blocks


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
    respondent = SurveyRespondent(tiny_lm, toy_survey, config, Condition(placement=placement, persona=persona))
    soft = prompt(n_tokens, tiny_lm.hidden_size)
    questions = [q for part in respondent.tokenized for q in part]
    (tree,) = respondent.trees
    for forward in (TreeForward(tiny_lm, tree, n_tokens), PaddedForward(tiny_lm, tree)):
        found = option_log_probs(tree, forward(torch.from_numpy(soft[None]))).numpy()[0]
        for row, question in zip(found, questions, strict=True):
            expected = [plain_log_prob(tiny_lm, question, option, soft) for option in question.options]
            np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-4)
            assert (row[len(expected) :] == -np.inf).all()


def test_the_neighbours_in_a_batch_do_not_matter(tiny_lm, toy_survey):
    config = SurveyConfig(instrument="toy")
    prompts = np.stack([prompt(3, 32, seed) for seed in range(5)])
    alone, together = (
        SurveyRespondent(
            tiny_lm, toy_survey, config, Condition(placement="user"), batching=Batching(tiny_lm, size)
        ).answer(prompts)
        for size in (1, 4)
    )
    np.testing.assert_allclose(alone.log_probs["none"], together.log_probs["none"], atol=1e-5)
    assert not np.allclose(alone.log_probs["none"][0], alone.log_probs["none"][1])


QUESTIONS = [
    TokenizedPrompt((), (1, 2, 3), ((4,), (5, 6))),
    TokenizedPrompt((), (1, 8), ((4,), (5, 6, 7))),
    TokenizedPrompt((), (1, 2, 9), ((4,), (5, 6))),
]


def test_shared_tokens_become_one_node_and_last_tokens_none():
    tree = build_tree(QUESTIONS)
    # 1 | 2 | 3 5, 9 5 | 8 5 6: in depth-first order, although 8 was met before 9
    assert tree.tokens.tolist() == [1, 2, 3, 5, 9, 5, 8, 5, 6]
    assert tree.parents.tolist() == [-1, 0, 1, 2, 1, 4, 0, 6, 7]
    assert tree.depth.tolist() == [0, 1, 2, 3, 2, 3, 1, 2, 3]
    read = [(int(tree.sources[row]), int(token)) for row, token in tree.reads]
    paths = [[[read[i] for i in option] for option in question] for question in tree.options]
    assert paths == [
        [[(2, 4)], [(2, 5), (3, 6)]],
        [[(6, 4)], [(6, 5), (7, 6), (8, 7)]],
        [[(4, 4)], [(4, 5), (5, 6)]],
    ]
    assert tree.longest == 4


def test_the_same_question_asked_twice_costs_nothing():
    once, twice = build_tree(QUESTIONS), build_tree(QUESTIONS * 2)
    assert twice.n_nodes == once.n_nodes
    assert twice.options == once.options * 2


@pytest.mark.parametrize("n_cached", [0, 3])
@pytest.mark.parametrize("size", [1, 2, 4, 7, 16])
def test_blocks_show_every_token_its_ancestors_and_itself(size, n_cached):
    tree = build_tree(QUESTIONS)
    cache = ((torch.zeros(1, 1, n_cached, 2),) * 2,) if n_cached else ()
    blocks = make_blocks(tree.parents, tree.depth, cache, torch.float32, size)
    assert blocks.n_queries >= tree.n_nodes
    for node in range(tree.n_nodes):
        group, row = divmod(node, size)
        seen = blocks.keys[group][blocks.mask[group, 0, row] == 0].tolist()
        expected, above = [n_cached + node], int(tree.parents[node])
        while above >= 0:
            expected.append(n_cached + above)
            above = int(tree.parents[above])
        assert sorted(seen) == sorted([*range(n_cached), *expected])


def test_blocks_keep_the_cost_linear_in_the_number_of_questions():
    def cells(n):
        shared = tuple(range(40))
        tree = build_tree([TokenizedPrompt((), (*shared, 100 + i, *range(30)), ((1,), (2,))) for i in range(n)])
        return make_blocks(tree.parents, tree.depth, (), torch.float32).mask.numel()

    assert cells(400) < 11 * cells(40)
    assert block_size(torch.arange(8), 0) == 16


@pytest.mark.parametrize("placement", ["prefix", "user"])
def test_a_survey_cut_into_several_trees_answers_the_same(tiny_lm, toy_survey, placement):
    config = SurveyConfig(instrument="toy")
    prompts = np.stack([prompt(3, 32, seed) for seed in range(2)])
    whole = SurveyRespondent(tiny_lm, toy_survey, config, Condition(placement=placement))
    assert len(whole.trees) == 1
    small = Batching(tiny_lm, memory_gib=30 * whole.batching.bytes_needed(1, 0) / 2**30)
    cut = SurveyRespondent(tiny_lm, toy_survey, config, Condition(placement=placement), batching=small)
    assert len(cut.trees) > 2
    expected, found = whole.answer(prompts), cut.answer(prompts)
    np.testing.assert_allclose(found.log_probs["none"], expected.log_probs["none"], atol=1e-4)
    np.testing.assert_allclose(found.valid_mass["none"], expected.valid_mass["none"], rtol=1e-4)


def test_trees_are_cut_only_as_far_as_needed():
    whole = build_tree(QUESTIONS).n_nodes
    assert len(build_trees(QUESTIONS, whole)) == 1
    assert [t.n_nodes for t in build_trees(QUESTIONS, whole - 1)] == [4, 7]
    assert len(build_trees(QUESTIONS, 1)) == 3


def test_impossible_trees_are_refused():
    with pytest.raises(ValueError, match="at least one question"):
        build_tree([])
    with pytest.raises(ValueError, match="share the tokens before"):
        build_tree([TokenizedPrompt((1,), (2,), ((3,),)), TokenizedPrompt((4,), (2,), ((3,),))])
    with pytest.raises(ValueError, match="at least one token"):
        build_tree([TokenizedPrompt((), (), ((3,),))])
    for options in ((), ((),), ((3,), ())):
        with pytest.raises(ValueError, match="must have options"):
            build_tree([TokenizedPrompt((), (1,), options)])
