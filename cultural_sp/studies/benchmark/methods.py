"""The usual ways to score a survey with transformers and PEFT."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peft import PromptTuningConfig, TaskType, get_peft_model
from transformers import GenerationConfig

from cultural_sp.lm.answer_parsing import parse
from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.lora import without_peft_warnings
from cultural_sp.lm.survey_respondent import SurveyRespondent

Method = Callable[[torch.Tensor], torch.Tensor | None]
"""Candidate [P, H] -> option log-probabilities [Q, O]; None for a method that only generates text."""


def usual_methods(respondent: SurveyRespondent, n_virtual: int, max_new_tokens: int) -> dict[str, Method]:
    """Return the methods by their names in ``bench.json``.

    Raises:
        ValueError: if an option has several tokens; these methods read only one.
    """
    lm = respondent.lm
    questions = [q for part in respondent.tokenized for q in part]
    if any(len(option) != 1 for q in questions for option in q.options):
        raise ValueError(f"model {lm.name} splits an option's number into several tokens; benchmark another model")
    padded = _Padded(lm, questions)
    return {
        "generate": _generate(respondent, questions, max_new_tokens),
        "per_item": _per_item(lm, questions),
        "padded_all_logits": lambda prompt: padded(prompt, {}),
        "padded": lambda prompt: padded(prompt, {"logits_to_keep": 1}),
        "peft": _peft(lm, questions, n_virtual),
    }


def _options(lm: LanguageModel, logits: torch.Tensor, questions: list[TokenizedPrompt]) -> torch.Tensor:
    """Return the options' log-probabilities [Q, O] from the logits [Q, V] at the end of each question."""
    ids = torch.tensor([[option[0] for option in q.options] for q in questions], device=logits.device)
    return logits.float().log_softmax(-1).gather(1, ids).double().cpu()


def _sequence(lm: LanguageModel, question: TokenizedPrompt, prompt: torch.Tensor) -> torch.Tensor:
    """Return the input embeddings [T, H] of a question with the soft prompt in its slot."""
    ids = torch.tensor([*question.before, *question.after], device=prompt.device)
    vectors = lm.token_embeddings(ids)
    cut = len(question.before)
    return torch.cat([vectors[:cut], prompt, vectors[cut:]])


def _generate(respondent: SurveyRespondent, questions: list[TokenizedPrompt], max_new_tokens: int) -> Method:
    """Generate an answer to one item after the other and parse it."""
    lm = respondent.lm
    labels = [q.options for a in respondent.administrations for q in (*a.questions, *a.content_free)]
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens,
        eos_token_id=lm.model.generation_config.eos_token_id,
        pad_token_id=lm.tokenizer.pad_token_id or lm.tokenizer.eos_token_id or 0,
    )

    def evaluate(prompt: torch.Tensor) -> None:
        for question, options in zip(questions, labels, strict=True):
            vectors = _sequence(lm, question, prompt)[None]
            mask = torch.ones(vectors.shape[:2], dtype=torch.long, device=prompt.device)
            answer = lm.model.generate(inputs_embeds=vectors, attention_mask=mask, generation_config=settings)
            parse(lm.tokenizer.decode(answer[0], skip_special_tokens=True), options)

    return evaluate


def _per_item(lm: LanguageModel, questions: list[TokenizedPrompt]) -> Method:
    """Run one forward pass per item."""

    def evaluate(prompt: torch.Tensor) -> torch.Tensor:
        rows = [
            lm.model(inputs_embeds=_sequence(lm, q, prompt)[None], use_cache=False).logits[0, -1] for q in questions
        ]
        return _options(lm, torch.stack(rows), questions)

    return evaluate


class _Padded:
    """One forward pass of all items as a left-padded batch."""

    def __init__(self, lm: LanguageModel, questions: list[TokenizedPrompt]) -> None:
        self.lm, self.questions = lm, questions

    def __call__(self, prompt: torch.Tensor, arguments: dict[str, int]) -> torch.Tensor:
        rows = [_sequence(self.lm, q, prompt) for q in self.questions]
        length = max(map(len, rows))
        vectors = prompt.new_zeros(len(rows), length, prompt.shape[1])
        mask = torch.zeros(len(rows), length, dtype=torch.long, device=prompt.device)
        for i, row in enumerate(rows):
            vectors[i, length - len(row) :] = row
            mask[i, length - len(row) :] = 1
        out = self.lm.model(
            inputs_embeds=vectors,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            **arguments,
        )
        return _options(self.lm, out.logits[:, -1], self.questions)


def _peft(lm: LanguageModel, questions: list[TokenizedPrompt], n_virtual: int) -> Method:
    """Run PEFT's prompt tuning on one right-padded batch; the soft prompt stands before everything."""
    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=n_virtual, inference_mode=True)
    with without_peft_warnings():
        tuned = get_peft_model(lm.model, config)
    device = lm.embeddings.device
    lengths = torch.tensor([len(q.after) for q in questions], device=device)
    ids = torch.zeros(len(questions), int(lengths.max()), dtype=torch.long, device=device)
    for i, question in enumerate(questions):
        ids[i, : len(question.after)] = torch.tensor(question.after)
    mask = (torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]).long()

    def evaluate(prompt: torch.Tensor) -> torch.Tensor:
        tuned.prompt_encoder["default"].embedding.weight.data = prompt.clone()
        logits = tuned(input_ids=ids, attention_mask=mask, use_cache=False).logits
        last = logits[torch.arange(len(ids), device=device), n_virtual + lengths - 1]
        return _options(lm, last, questions)

    return evaluate
