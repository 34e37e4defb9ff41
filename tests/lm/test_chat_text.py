import copy

import pytest

from cultural_sp.lm.chat_prompt import SLOT, chat_text, tokenize
from cultural_sp.survey.render import ChatPrompt

QUESTION = ChatPrompt("You like bread.", "How much?", "I say", (" much", " not much"))
BARE = ChatPrompt("", "How much?", "", ("1", "2"))
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m['content'] }}]{% endfor %}"
)


@pytest.fixture
def tokenizer(tiny_lm):
    return copy.deepcopy(tiny_lm.tokenizer)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_without_a_template_system_role_the_soft_prompt_opens_the_users_turn(tokenizer):
    tokenizer.chat_template = NO_SYSTEM
    assert chat_text(QUESTION, tokenizer, "system", {}) == f"[{SLOT}You like bread.\n\nHow much?]I say"
    assert chat_text(BARE, tokenizer, "system", {}) == f"[{SLOT}\n\nHow much?]"
    assert chat_text(BARE, tokenizer, "user", {}) == f"[{SLOT}How much?]"


def test_without_a_persona_only_a_soft_prompt_of_its_own_opens_a_system_turn(tokenizer):
    for placement in ("prefix", "user"):
        assert "system" not in chat_text(BARE, tokenizer, placement, {})
    assert f"<|im_start|>system\n{SLOT}<|im_end|>" in chat_text(BARE, tokenizer, "system", {})


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("prefix", f"{SLOT}You like bread.\n\nHow much?\n\nI say"),
        ("system", f"{SLOT}You like bread.\n\nHow much?\n\nI say"),
        ("user", f"You like bread.\n\n{SLOT}How much?\n\nI say"),
    ],
)
def test_the_slot_in_plain_paragraphs(tokenizer, placement, expected):
    tokenizer.chat_template = None
    assert chat_text(QUESTION, tokenizer, placement, {}) == expected


@pytest.mark.parametrize(
    ("placement", "before", "after"),
    [
        ("prefix", "", "<s>You like bread.\n\nHow much?\n\nI say"),
        ("system", "<s>", "You like bread.\n\nHow much?\n\nI say"),
        ("user", "<s>You like bread.\n\n", "How much?\n\nI say"),
    ],
)
def test_the_bos_token_in_plain_paragraphs(tokenizer, placement, before, after):
    tokenizer.chat_template = None
    question = tokenize(QUESTION, tokenizer, placement, {})
    assert list(question.before) == ids(tokenizer, before)
    assert list(question.after) == ids(tokenizer, after)


def test_no_bos_token_is_invented(tokenizer):
    tokenizer.chat_template = None
    tokenizer.bos_token = None
    question = tokenize(QUESTION, tokenizer, "prefix", {})
    assert question.before == ()
    assert list(question.after) == ids(tokenizer, "You like bread.\n\nHow much?\n\nI say")


def test_a_template_brings_its_own_bos_token(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    question = tokenize(QUESTION, tokenizer, "prefix", {})
    assert question.after[0] == tokenizer.bos_token_id
    assert question.after.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
@pytest.mark.parametrize("template", [True, False])
def test_the_pieces_are_the_tokens_of_the_full_text(tokenizer, placement, template):
    if not template:
        tokenizer.chat_template = None
    front, _, back = chat_text(QUESTION, tokenizer, placement, {}).partition(SLOT)
    question = tokenize(QUESTION, tokenizer, placement, {})
    bos = [] if template else [tokenizer.bos_token_id]
    for option, tail in zip(QUESTION.options, question.options, strict=True):
        expected = [*bos, *ids(tokenizer, front), *ids(tokenizer, back + option)]
        assert [*question.before, *question.after, *tail] == expected
    assert len(question.before) == (0 if placement == "prefix" else len(bos) + len(ids(tokenizer, front)))
