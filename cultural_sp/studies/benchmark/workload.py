"""Workload of the benchmark: a model, a survey and random candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from cultural_sp.config.studies import BenchmarkConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.geometry import llama
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import find_device, load_model, resolve, weight_type
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.survey.instrument import Survey
from cultural_sp.types import Array


@dataclass(frozen=True)
class Workload:
    """What every method evaluates."""

    respondent: SurveyRespondent
    """The model with the survey as a token tree, not compiled."""
    prompts: torch.Tensor
    """Candidates [rounds + 1, N, P, H] on the CPU; N is the batch size of the token tree."""
    spread: float
    """Standard deviation of a candidate's coordinates, as the embedding matrix has it."""

    @property
    def survey(self) -> Survey:
        """The instrument."""
        return self.respondent.survey

    @property
    def lm(self) -> LanguageModel:
        """The frozen model."""
        return self.respondent.lm

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.lm.embeddings.device

    @property
    def batch_size(self) -> int:
        """Candidates N per forward pass of the token tree."""
        return self.prompts.shape[1]

    @property
    def n_virtual(self) -> int:
        """Virtual tokens P of a candidate."""
        return self.prompts.shape[2]

    @property
    def tokens_asked(self) -> int:
        """Tokens of all questions together, each with its own soft prompt."""
        questions = [question for part in self.respondent.tokenized for question in part]
        return sum(len(q.before) + self.n_virtual + len(q.after) for q in questions)

    @property
    def tokens_tree(self) -> int:
        """Tokens of the token trees, in which questions share their common text."""
        return sum(tree.n_nodes + len(tree.before) + self.n_virtual for tree in self.respondent.trees)

    def draw(self, size: int) -> NDArray[np.float32]:
        """Return ``size`` candidates [size, P, H], the same ones for the same size."""
        shape = (size, self.n_virtual, self.lm.hidden_size)
        return (self.spread * np.random.default_rng(size).standard_normal(shape)).astype(np.float32)


def respondent_in_batches(
    config: BenchmarkConfig, workload: Workload, size: int | None, *, compiled: bool = False
) -> SurveyRespondent:
    """Return the workload's survey with ``size`` candidates per forward pass; None lets the program choose."""
    batching = Batching(workload.lm, size)
    return SurveyRespondent(workload.lm, workload.survey, config.survey, batching=batching, compiled=compiled)


def log_probs_of(respondent: SurveyRespondent, prompts: NDArray[np.float32], row: int = 0) -> Array:
    """Return the log-probabilities [Q, O] of one of the candidates [N, P, H], the questions of all orders below each other."""
    return np.concatenate([x[row] for x in respondent.answer(prompts).log_probs.values()])


def make_workload(config: BenchmarkConfig, survey: Survey) -> Workload:
    """Load the model and draw candidates with the spread of the model's embeddings."""
    lm = random_model(config) if config.geometry is not None else load_model(config.model)
    batching = Batching(lm, config.model.batch_size, config.model.memory_gib)
    respondent = SurveyRespondent(lm, survey, config.survey, batching=batching)
    rng = np.random.default_rng(config.seed)
    shape = (config.n_tokens, lm.hidden_size)
    spread = float(lm.embeddings.float().std())
    size = respondent.batch_size(spread * rng.standard_normal((4, *shape)).astype(np.float32))
    prompts = torch.from_numpy(spread * rng.standard_normal((config.rounds + 1, size, *shape)).astype(np.float32))
    return Workload(respondent, prompts, spread)


def random_model(config: BenchmarkConfig) -> LanguageModel:
    """Return a Llama of the configured geometry with random weights and the configured model's tokenizer."""
    geometry = config.geometry
    assert geometry is not None
    path = resolve(config.model.name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    torch.manual_seed(config.seed)
    with find_device(config.model.device):
        model = AutoModelForCausalLM.from_config(
            llama(geometry, max(geometry.vocab_size, len(tokenizer))),
            dtype=weight_type(config.model),
            attn_implementation=config.model.attn_implementation,
        )
    model.requires_grad_(False)
    model.generation_config.eos_token_id = None  # random weights never end an answer
    return LanguageModel(model.eval(), tokenizer, dict(config.model.chat_template_args), "random", path)
