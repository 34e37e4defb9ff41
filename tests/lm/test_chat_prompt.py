import copy

import pytest

from cultural_sp.lm.chat_prompt import SLOT, chat_text, tokenize
from cultural_sp.survey.render import ChatPrompt

QUESTION = ChatPrompt("You like bread.", "How much?", "I say", (" much", " not much"))


@pytest.fixture
def tokenizer(tiny_lm):
    return copy.deepcopy(tiny_lm.tokenizer)


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("prefix", SLOT + "<|im_start|>system\nYou like bread.<|im_end|>\n"),
        ("system", f"<|im_start|>system\n{SLOT}You like bread.<|im_end|>\n<|im_start|>user\nHow much?"),
        ("user", f"You like bread.<|im_end|>\n<|im_start|>user\n{SLOT}How much?<|im_end|>\n"),
    ],
)
def test_the_slot_goes_where_the_placement_says(tokenizer, placement, expected):
    text = chat_text(QUESTION, tokenizer, placement, {})
    assert expected in text
    assert text.count(SLOT) == 1
    assert text.endswith("<|im_start|>assistant\nI say")


def test_a_template_without_system_role_gets_the_persona_in_front_of_the_question(tokenizer):
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "[{{ m['content'] }}]{% endfor %}"
    )
    assert chat_text(QUESTION, tokenizer, "user", {}) == f"[You like bread.\n\n{SLOT}How much?]I say"
    assert chat_text(QUESTION, tokenizer, "prefix", {}) == f"{SLOT}[You like bread.\n\nHow much?]I say"


def test_a_broken_template_is_not_hidden(tokenizer):
    tokenizer.chat_template = "{{ raise_exception('broken') }}"
    with pytest.raises(Exception, match="broken"):
        chat_text(QUESTION, tokenizer, "prefix", {})


def test_template_arguments_reach_the_template(tokenizer):
    tokenizer.chat_template = "{{ mood }}:{{ messages[-1]['content'] }}"
    assert chat_text(QUESTION, tokenizer, "prefix", {"mood": "calm"}) == f"{SLOT}calm:You like bread.\n\nHow much?I say"


@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
def test_without_template_plain_paragraphs_start_with_the_bos_token(tokenizer, placement):
    tokenizer.chat_template = None
    question = tokenize(QUESTION, tokenizer, placement, {})
    ids = [*question.before, *question.after]
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(ids[1:]) == "You like bread.\n\nHow much?\n\nI say"
    assert bool(question.before) == (placement != "prefix")  # behind the soft prompt, as in PEFT


@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
def test_the_pieces_add_up_to_the_text(tokenizer, placement):
    text = chat_text(QUESTION, tokenizer, placement, {}).replace(SLOT, "")
    question = tokenize(QUESTION, tokenizer, placement, {})
    for option, tail in zip(QUESTION.options, question.options, strict=True):
        assert tokenizer.decode([*question.before, *question.after, *tail]) == text + option


def test_a_merge_across_the_border_moves_the_border(tokenizer):
    """ "impor" and "tant" merge into a token that neither has alone, so the shared start must end before it."""
    split = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (" impor", "tant")]
    whole = tokenizer(" important", add_special_tokens=False)["input_ids"]
    assert whole != split[0] + split[1]
    question = tokenize(ChatPrompt("", "How?", "It is impor", ("tant", "ted")), tokenizer, "prefix", {})
    assert question.options[0][-1] == whole[-1]
    assert tokenizer.decode([*question.after, *question.options[0]]).endswith("It is important")
    assert tokenizer.decode([*question.after, *question.options[1]]).endswith("It is imported")


def test_a_template_that_silently_drops_the_system_role_loses_nothing(tokenizer):
    tokenizer.chat_template = "{% for m in messages if m['role'] == 'user' %}[{{ m['content'] }}]{% endfor %}"
    assert chat_text(QUESTION, tokenizer, "system", {}) == f"[{SLOT}You like bread.\n\nHow much?]I say"


def test_a_template_that_repeats_the_slot_is_refused(tokenizer):
    tokenizer.chat_template = "{{ messages[0]['content'] }}{{ messages[0]['content'] }}"
    with pytest.raises(ValueError, match="shows it 2 times; use soft_prompt.placement=prefix"):
        chat_text(ChatPrompt("", "How?", "", ("1", "2")), tokenizer, "user", {})
