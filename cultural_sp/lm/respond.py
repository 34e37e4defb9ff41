"""A frozen model taking a survey under many soft prompts: soft prompts in, option log-probabilities out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from cultural_sp.config import SurveyConfig
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.prompt import tokenize
from cultural_sp.lm.token_tree import TokenTree, build_tree
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.render import Administration, orders_of, render


@dataclass(frozen=True)
class Answers:
    """What N soft prompts make a model answer, per option order."""

    log_probs: dict[str, NDArray[np.float64]]
    """Order -> option log-probabilities [N, Q, O], options in the order of their codes, ``-inf`` where there is none."""
    valid_mass: dict[str, NDArray[np.float64]]
    """Order -> probability [N, Q] that the model gives to all valid options together, before any calibration."""

    def rows(self, start: int, stop: int) -> Answers:
        """The answers of soft prompts ``start`` to ``stop - 1``."""
        return Answers(
            {order: x[start:stop] for order, x in self.log_probs.items()},
            {order: x[start:stop] for order, x in self.valid_mass.items()},
        )


class Respondent:
    """One model, one wording of a survey and one persona; answers under any soft prompt."""

    def __init__(
        self,
        lm: LanguageModel,
        survey: Survey,
        config: SurveyConfig,
        *,
        wording: int = 0,
        placement: str = "prefix",
        persona: str = "",
        batch_size: int = 1,
    ) -> None:
        """Render and tokenize the survey and pack it into one token tree.

        Args:
            lm: the frozen model.
            survey: the instrument.
            config: scoring, layout, option order and calibration.
            wording: index of the wording.
            placement: where the soft prompt goes.
            persona: system message, empty for the plain model.
            batch_size: soft prompts per forward pass.
        """
        self.lm, self.survey, self.batch_size, self.placement = lm, survey, batch_size, placement
        self.administrations: list[Administration] = [
            render(
                survey,
                wording,
                scoring=config.scoring,
                layout=config.layout,
                order=order,
                calibrate=config.calibrate,
                persona=persona,
            )
            for order in orders_of(config.scoring, config.option_order)
        ]
        self.tokenized = [
            [tokenize(q, lm.tokenizer, placement, lm.template_args) for q in (*a.questions, *a.content_free)]
            for a in self.administrations
        ]
        self.tree = build_tree([question for part in self.tokenized for question in part])

    def answer(self, prompts: NDArray[np.float32]) -> Answers:
        """Answers to the whole survey under soft prompts [N, P, H]; P = 0 is the plain model.

        Raises:
            ValueError: if the prompts' width isn't the model's hidden size.
        """
        if prompts.ndim != 3 or prompts.shape[2] != self.lm.hidden_size:
            raise ValueError(f"soft prompts need shape [N, P, {self.lm.hidden_size}], got {list(prompts.shape)}")
        scores = [
            option_log_probs(self.lm, self.tree, torch.from_numpy(prompts[i : i + self.batch_size]))
            for i in range(0, len(prompts), self.batch_size)
        ]
        return self._split(np.concatenate(scores))

    def _split(self, scores: NDArray[np.float64]) -> Answers:
        """Sort the tree's rows [N, rows, O] into administrations and calibrate them."""
        log_probs, mass = {}, {}
        first = 0
        for administration in self.administrations:
            stop = first + len(administration.questions)
            raw = scores[:, first:stop]
            mass[administration.order] = np.exp(raw).sum(axis=-1)
            if administration.content_free:
                neutral = scores[:, stop : stop + len(administration.content_free)]
                neutral = neutral[:, list(administration.content_free_of)]
                raw = np.where(np.isfinite(raw), raw - np.where(np.isfinite(neutral), neutral, 0.0), raw)
            log_probs[administration.order] = raw
            first = stop + len(administration.content_free)
        return Answers(log_probs, mass)


@torch.inference_mode()
def option_log_probs(lm: LanguageModel, tree: TokenTree, prompts: torch.Tensor) -> NDArray[np.float64]:
    """Log-probability [N, rows, O] of every option of every question of the tree, in one forward pass.

    Args:
        lm: the frozen model.
        tree: the packed questions.
        prompts: soft prompts [N, P, H].

    Returns:
        Sums over an option's tokens of log P(token | soft prompt and path); ``-inf`` pads questions with fewer options.

    Raises:
        ValueError: if a model with sliding-window attention would need more tokens than its window.
    """
    model, device = lm.model, lm.embeddings.device
    n, n_virtual, _ = prompts.shape
    embed = model.get_input_embeddings()
    dtype = lm.embeddings.dtype

    def expand(ids: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = embed(ids.to(device))
        return vectors[None].expand(n, -1, -1)

    positions = tree.positions(n_virtual)
    _check_window(model, int(positions.max()) + 1)
    inputs = torch.cat([expand(tree.before), prompts.to(device, dtype), expand(tree.tokens)], dim=1)
    trunk = len(tree.before) + n_virtual
    scored = sorted({node for question in tree.options for option in question for node in option})
    sources, row = torch.unique(tree.parents[scored], return_inverse=True)
    logits = model(
        inputs_embeds=inputs,
        attention_mask=tree.mask(n_virtual, dtype).to(device),
        position_ids=positions.to(device),
        logits_to_keep=(sources + trunk).to(device),
        use_cache=False,
    ).logits
    conditional = logits.float().log_softmax(-1)[:, row.to(device), tree.tokens[scored].to(device)]
    values = conditional.double().cpu().numpy()  # [N, scored]
    place = {node: i for i, node in enumerate(scored)}
    width = max(len(question) for question in tree.options)
    result = np.full((n, len(tree.options), width), -np.inf)
    for q, question in enumerate(tree.options):
        for o, option in enumerate(question):
            result[:, q, o] = values[:, [place[node] for node in option]].sum(axis=1)
    return result


def _check_window(model: PreTrainedModel, needed: int) -> None:
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    used = getattr(config, "use_sliding_window", True)
    if window and used and needed > window:
        raise ValueError(
            f"the survey needs {needed} tokens in sequence, more than the model's attention window of {window}; "
            "use fewer virtual tokens or a model without sliding-window attention"
        )
