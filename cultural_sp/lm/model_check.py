"""The acceptance check of a model: on a dozen tokens, does it do what the search and its scores rely on?

It asks the model and doesn't list architectures, since no list can be complete.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from tabulate import tabulate

from cultural_sp.lm.chat_prompt import chat_text, tokenize_for
from cultural_sp.lm.forward_selection import tree_obstacle
from cultural_sp.lm.generation import generate_text
from cultural_sp.lm.language_model import LanguageModel, ModelChecks, tolerance
from cultural_sp.lm.template_clock import pin_clock, reads_clock
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.utils.errors import reason_of

CONVERSATIONS = (
    ChatPrompt("You are a careful respondent.", "How many people live in this house?", "", ()),
    ChatPrompt("", "How many people live in this house?", "", ()),
)
N_TOKENS = 12
N_DRAWS = 8
"""Renderings under different random numbers; a template that draws one of two texts escapes with probability 1/128."""
SWITCHES = ({"enable_thinking": False}, {"thinking": False}, {"reasoning": False}, {"think": False})
"""Arguments by which chat templates switch thinking off."""
MARKER = re.compile(
    r"[<\[◁][^<>\[\]◁▷\s]*(?:think|thought|reason|analysis)[^<>\[\]◁▷\s]*[>\]▷]|channel\|>\s*analysis", re.I
)
"""A token that begins or ends a thought."""
CLOSING = re.compile(r"[/]|end|close|stop", re.I)


def check_model(lm: LanguageModel, template_date: str) -> ModelChecks:
    """Check a loaded model.

    Args:
        lm: the frozen model.
        template_date: the date that its chat template shows if it reads the clock.

    Raises:
        ValueError: if scores of this model would be wrong or would not repeat, with the reason and a way out.
    """
    rendered = rendered_template(lm)
    gap, factor = _embeddings_gap(lm)
    lm = replace(lm, checks=replace(lm.checks, embedding_factor=factor))
    embeddings, output = lm.model.get_input_embeddings(), lm.model.get_output_embeddings()
    checks = ModelChecks(
        chat_template_hash=hashlib.sha256("".join(rendered).encode()).hexdigest(),
        template_date=template_date if _shows_date(lm, rendered) else None,
        attention=str(lm.model.config._attn_implementation),
        tied_embeddings=output is not None and getattr(output, "weight", None) is embeddings.weight,
        embeddings_gap=gap,
        embedding_factor=factor,
        tree_obstacle=tree_obstacle(lm),
        padding_is_masked=_padding_is_masked(lm),
    )
    return _check_generation(lm, checks)


def summary(lm: LanguageModel) -> str:
    """Return the checks of a loaded model as a table in words."""
    checks = lm.checks
    if checks.generation_problem is not None:
        generation = f"not possible ({checks.generation_problem})"
    elif checks.generates_from_embeddings:
        generation = "from embeddings"
    else:
        generation = "from token ids, with the embeddings put in"
    if lm.tokenizer.chat_template is None:
        template = "none; prompts are plain paragraphs"
    elif checks.template_date is None:
        template = "repeats; shows no date, opens no thought"
    else:
        template = f"repeats, with model.template_date={checks.template_date}; opens no thought"
    rows = {
        "model": f"{lm.identity}: {lm.model.num_parameters() / 1e6:,.0f} million weights in {lm.embeddings.dtype}",
        "chat template": template,
        "attention": checks.attention,
        "input and output embeddings": "the same weights" if checks.tied_embeddings else "weights of their own",
        "embeddings in place of ids": f"log-probabilities differ by at most {checks.embeddings_gap:.1g}",
        "token tree": checks.tree_obstacle or "equals single passes",
        "padding before a text": "masked" if checks.padding_is_masked else "read; texts are generated one at a time",
        "generating text": generation,
    }
    return tabulate(rows.items(), tablefmt="plain", disable_numparse=True)


def rendered_template(lm: LanguageModel) -> list[str]:
    """Return the chat template's text for :data:`CONVERSATIONS`; empty without a template.

    Raises:
        ValueError: if the template is random or opens a thought, or if the model has no embedding for one of its tokens.
    """
    if lm.tokenizer.chat_template is None:
        return []
    state = random.getstate()
    texts = []
    try:
        for seed in range(N_DRAWS):
            random.seed(seed)
            texts.append([chat_text(turn, lm.tokenizer, "prefix", lm.template_args) for turn in CONVERSATIONS])
    finally:
        random.setstate(state)
    if any(text != texts[0] for text in texts):
        raise ValueError(
            f"model.name_or_path={lm.name}: its chat template gives another text each time it is asked, so no loss would repeat; "
            "take what is random out of the template, or choose another model"
        )
    for turn, text in zip(CONVERSATIONS, texts[0], strict=True):
        opened = opened_thought(text, turn.user)
        if opened:
            raise ValueError(
                f"model.name_or_path={lm.name}: its chat template opens a thought ({opened}) before the answer, so answers would "
                f"be scored inside it; {_way_out_of_thought(lm, turn)}"
            )
        tokenize_for(lm, turn, "prefix")
    return texts[0]


def opened_thought(text: str, user: str) -> str:
    """Return the token after the user's text that begins a thought which doesn't end; empty if there is none."""
    markers = [found[0] for found in MARKER.finditer(text.rpartition(user)[2])]
    return "" if not markers or CLOSING.search(markers[-1]) else markers[-1]


def _way_out_of_thought(lm: LanguageModel, turn: ChatPrompt) -> str:
    for switch in SWITCHES:
        text = chat_text(turn, lm.tokenizer, "prefix", {**lm.template_args, **switch})
        if not opened_thought(text, turn.user):
            ((name, value),) = switch.items()
            return f"add +model.chat_template_args.{name}={str(value).lower()}"
    return "choose a model that answers at once, or a chat template without the thought"


def _shows_date(lm: LanguageModel, rendered: Sequence[str]) -> bool:
    if not rendered or not reads_clock(lm.tokenizer):
        return False
    other = copy(lm.tokenizer)
    pin_clock(other, "1999-12-31")
    return [chat_text(turn, other, "prefix", lm.template_args) for turn in CONVERSATIONS] != list(rendered)


def _token_ids(lm: LanguageModel) -> list[int]:
    """Return about a dozen ids of a text."""
    turn = CONVERSATIONS[1]
    return list(lm.tokenizer(turn.user, add_special_tokens=False)["input_ids"])[:N_TOKENS]


@torch.inference_mode()
def _embeddings_gap(lm: LanguageModel) -> tuple[float, float]:
    """Return the largest difference between log-probabilities from ids and from their embeddings, and the embeddings' factor.

    Raises:
        ValueError: if the difference is more than rounding, or if the model takes only one of both.
    """
    ids = torch.tensor([_token_ids(lm)], device=lm.embeddings.device)
    expected = _log_probs(lm, "read a text", input_ids=ids)
    gap = 0.0
    for factor in (1.0, getattr(lm.model.config.get_text_config(), "embedding_multiplier", None)):
        if factor is not None:
            vectors = lm.model.get_input_embeddings()(ids) * factor
            found = _log_probs(
                lm, "read embeddings in place of a text, so it takes no soft prompt", inputs_embeds=vectors
            )
            gap = float((found - expected).abs().max())
            if not gap > tolerance(lm):  # NaN is found by whoever needs the numbers
                return gap, float(factor)
    raise ValueError(
        f"model.name_or_path={lm.name} reads more than the embeddings of its input: from token ids and from their embeddings "
        f"its log-probabilities differ by {gap:.2g}, so a soft prompt would not reach all of it; choose another model"
    )


def _log_probs(lm: LanguageModel, what: str, **inputs: torch.Tensor) -> torch.Tensor:
    """Return log-probabilities [1, T, V] along an input; ``what`` says in an error what the model can't do."""
    try:
        log_probs: torch.Tensor = lm.model(**inputs, use_cache=False).logits.float().log_softmax(-1)
        return log_probs
    except Exception as error:  # any error that a model raises
        if should_reduce_batch_size(error):  # out of memory says nothing about the model
            raise
        raise ValueError(
            f"model.name_or_path={lm.name} can't {what} ({reason_of(error)}); choose another model"
        ) from error


@torch.inference_mode()
def _padding_is_masked(lm: LanguageModel) -> bool:
    """Whether padding before a text leaves the log-probabilities of its last token as they are."""
    ids = torch.tensor([_token_ids(lm)], device=lm.embeddings.device)
    vectors = lm.token_embeddings(ids)
    n_padding = 5
    padded = torch.cat([vectors[:, :n_padding], vectors], dim=1)
    mask = torch.ones(padded.shape[:2], dtype=torch.long, device=ids.device)
    mask[:, :n_padding] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    try:
        arguments = lm.model.prepare_inputs_for_generation(
            ids,
            inputs_embeds=padded,
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
            is_first_iteration=True,
        )
        found = lm.model(**{**arguments, "use_cache": False}).logits[0, -1]
    except Exception as error:  # any error that a model raises for unknown arguments
        if should_reduce_batch_size(error):
            raise
        return False
    plain = lm.model(inputs_embeds=vectors, use_cache=False).logits[0, -1]
    first, second = (logits.float().log_softmax(-1) for logits in (plain, found))
    return float((first - second).abs().max()) <= tolerance(lm)


def _check_generation(lm: LanguageModel, checks: ModelChecks) -> ModelChecks:
    """Return the checks with the way in which the model generates text: from embeddings, or from ids, or not at all."""
    question = replace(tokenize_for(lm, CONVERSATIONS[1], "prefix"), options=())
    virtual = lm.embed(np.arange(2))
    problem = None
    for from_embeddings in (True, False):
        way = replace(checks, generates_from_embeddings=from_embeddings)
        try:
            generate_text(replace(lm, checks=way), [question], virtual, 2)
            return way
        except Exception as error:  # any error that a model raises for unknown arguments
            if should_reduce_batch_size(error):
                raise
            problem = reason_of(error)
    return replace(checks, generation_problem=problem)
