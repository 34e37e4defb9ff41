import math

import numpy as np
import pytest
import torch

from cultural_sp.config.groups import ReadoutConfig, SurveyConfig
from cultural_sp.lm.answer_parsing import generate_answers, parse
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent

NUMBERS = ("1", "2", "3", "4", "5")
LABELS = ("important", "important enough", "not important")


@pytest.mark.parametrize("text", ["3", " 3", "3.", "3\n", "3 = fair", "3) fair", "3, because", "3: yes", "3 - fair"])
def test_an_answer_that_starts_with_its_number_counts(text):
    assert parse(text, NUMBERS) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "3.5",
        "3,5",
        "3-4",
        "3 - 4",
        "3 or 4",
        "3 to 5",
        "I would say 3",
        "As an AI I have no job",
        "six",
        "0",
        "6",
        "-3",
    ],
)
def test_everything_else_is_missing(text):
    assert math.isnan(parse(text, NUMBERS))


def test_numbers_count_in_code_order_whatever_order_was_shown():
    assert parse("1", NUMBERS[::-1]) == 5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Important.", 1),
        ("important  enough, I think", 2),
        ("Not important", 3),
        ("importantly", None),
        ("very important", None),
        ("not", None),
    ],
)
def test_labels_count_at_the_start_and_the_longest_wins(text, code):
    found = parse(text, LABELS)
    assert math.isnan(found) if code is None else found == code


def respondent(lm, survey):
    return SurveyRespondent(lm, survey, SurveyConfig(instrument="toy", scoring="number", option_order="both"))


@pytest.fixture
def written(tiny_lm, monkeypatch):
    """Every [Q, T] of tokens that the model writes."""
    tokens = []
    decode = tiny_lm.tokenizer.batch_decode
    monkeypatch.setattr(tiny_lm.tokenizer, "batch_decode", lambda ids, **kw: tokens.append(ids) or decode(ids, **kw))
    return tokens


def test_greedy_answers_are_one_respondent_and_repeatable(tiny_lm, toy_survey):
    prompt = np.zeros((2, 32), dtype=np.float32)
    answers = [
        generate_answers(respondent(tiny_lm, toy_survey), prompt, ReadoutConfig(kind="generate"), 0) for _ in "ab"
    ]
    assert {order: codes.shape for order, codes in answers[0].items()} == {"ascending": (1, 4), "descending": (1, 4)}
    for order in answers[0]:
        np.testing.assert_array_equal(answers[0][order], answers[1][order])


def test_sampling_follows_its_seed_and_leaves_the_global_generator_alone(tiny_lm, toy_survey, written):
    config = ReadoutConfig(kind="generate", temperature=1.0, n_respondents=3, max_new_tokens=4)
    state = torch.random.get_rng_state()
    shapes = []
    for seed in (1, 1, 2):
        answers = generate_answers(respondent(tiny_lm, toy_survey), np.zeros((0, 32), np.float32), config, seed)
        shapes += [codes.shape for codes in answers.values()]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(shapes) == {(3, 4)}
    texts = [tokens.tolist() for tokens in written]
    assert texts[:6] == texts[6:12]
    assert texts[:6] != texts[12:]
    assert texts[0] != texts[1]  # respondents of one seed differ too


@pytest.mark.parametrize("scoring", ["number", "label"])
@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
def test_what_is_generated_continues_the_rendered_prompt(tiny_lm, toy_survey, written, scoring, placement):
    """Padding, batch and calibration questions must not change the text: compare with one unpadded greedy decoding."""
    model = SurveyRespondent(
        tiny_lm, toy_survey, SurveyConfig(instrument="toy", scoring=scoring), Condition(placement=placement)
    )
    soft = (0.5 * np.random.default_rng(0).standard_normal((3, 32))).astype(np.float32)
    generate_answers(model, soft, ReadoutConfig(kind="generate", max_new_tokens=5), 0)
    for row, question in zip(written[0], model.tokenized[0][:4], strict=True):
        before, after = (
            tiny_lm.embeddings[torch.tensor(x, dtype=torch.long)] for x in (question.before, question.after)
        )
        vectors = [before, torch.from_numpy(soft), after]
        tokens = []
        with torch.inference_mode():
            for _ in range(5):
                token = int(tiny_lm.model(inputs_embeds=torch.cat(vectors)[None]).logits[0, -1].argmax())
                tokens.append(token)
                vectors.append(tiny_lm.embeddings[[token]])
                if token == tiny_lm.tokenizer.eos_token_id:
                    break
        assert row.tolist()[: len(tokens)] == tokens


@pytest.mark.parametrize("length", [1, 7])
def test_answers_are_as_long_as_configured(tiny_lm, toy_survey, written, length):
    config = ReadoutConfig(kind="generate", max_new_tokens=length)
    generate_answers(respondent(tiny_lm, toy_survey), np.zeros((0, 32), np.float32), config, 0)
    assert {row.shape[1] for row in written} == {length}


def test_sampling_near_temperature_zero_is_greedy(tiny_lm, toy_survey, written):
    for temperature in (0.0, 1e-4):
        config = ReadoutConfig(kind="generate", temperature=temperature, n_respondents=1, max_new_tokens=3)
        generate_answers(respondent(tiny_lm, toy_survey), np.zeros((0, 32), np.float32), config, 0)
    assert torch.equal(written[0], written[2])
    assert torch.equal(written[1], written[3])


@pytest.mark.parametrize(
    "text",
    [
        "3\u20134",
        "3 and 4",
        "3 (or 4)",
        "3/5",
        "3 / 4",
        "3, 4",
        "3 or four",
        "3 through 5",
        "3 4",
        "3; 4",
        "3, or 4",
        "3 & 4",
        "3 vs 4",
        "3 or",
    ],
)
def test_two_answers_are_none(text):
    assert math.isnan(parse(text, NUMBERS))


def test_the_model_folders_own_truncation_does_not_reach_the_samples(tiny_lm, toy_survey, monkeypatch):
    monkeypatch.setattr(tiny_lm.model.generation_config, "top_p", 1e-6)
    written = []
    decode = tiny_lm.tokenizer.batch_decode
    monkeypatch.setattr(
        tiny_lm.tokenizer, "batch_decode", lambda ids, **kw: written.append(ids.tolist()) or decode(ids, **kw)
    )
    config = ReadoutConfig(kind="generate", temperature=1.0, n_respondents=2)
    generate_answers(respondent(tiny_lm, toy_survey), np.zeros((0, 32), np.float32), config, 0)
    assert written[0] != written[1]


def test_a_doubtful_long_label_does_not_fall_back_to_a_shorter_one():
    assert math.isnan(parse("important enough or not important", LABELS))
