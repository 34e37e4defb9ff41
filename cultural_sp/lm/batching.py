"""Number of candidates per forward pass: as many as memory allows on an accelerator, the fastest number on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import psutil
import torch
from accelerate.utils import find_executable_batch_size
from accelerate.utils.memory import should_reduce_batch_size
from transformers import PreTrainedModel

from cultural_sp.lm.language_model import LanguageModel

TRIED_ON_CPU = (1, 2, 4)
_fastest: WeakKeyDictionary[PreTrainedModel, dict[int, int]] = WeakKeyDictionary()
"""Model -> tokens per candidate -> fastest number of candidates per pass on this CPU, as far as this process has measured it."""
MIN_SPEEDUP = 0.97  # a larger batch is chosen if it takes less than this share of the time per candidate
Evaluate = Callable[[torch.Tensor], torch.Tensor]


class Batching:
    """Splits candidates into forward passes that fit into memory. A pass that runs out of memory is halved and repeated."""

    def __init__(self, lm: LanguageModel, batch_size: int | None = None, memory_gib: float | None = None) -> None:
        """Set up.

        Args:
            lm: the model that will be run.
            batch_size: candidates per forward pass; None chooses.
            memory_gib: memory for the activations of a forward pass; None takes a quarter of the free main memory or four
                fifths of the accelerator's.
        """
        self.lm, self._asked = lm, batch_size
        self._budget = None if memory_gib is None else int(memory_gib * 2**30)
        self._chosen: dict[int, int] = {}
        self._forced = False

    def fix(self, batch_size: int) -> None:
        """Fix the batch size, as a resumed search needs the batches of its journal. A size that memory forced stays."""
        if not self._forced:
            self._asked = batch_size

    @property
    def budget(self) -> int:
        """Bytes that the activations of a forward pass may take."""
        device = self.lm.embeddings.device
        if self._budget is None and device.type == "cuda":
            self._budget = torch.cuda.mem_get_info(device)[0] * 4 // 5
        elif self._budget is None:
            self._budget = psutil.virtual_memory().available // 4
        return self._budget

    def bytes_needed(self, n_tokens: int, n_rows: int) -> int:
        """Estimate the peak of one candidate's activations in bytes: the larger of a layer's and the output's.

        A layer holds at most the residual stream, its normed copy and the four tensors of the gated product, all of them once
        per expert that a token is sent to, or the residual stream and attention's queries (twice), output and fetched keys and
        values (each about five times); the output the logits, their float32 copy and its exponentials.

        Args:
            n_tokens: tokens of the candidate, soft prompt included.
            n_rows: tokens whose next-token distribution is read.
        """
        config = self.lm.model.config.get_text_config()
        hidden, size = self.lm.hidden_size, self.lm.embeddings.element_size()
        inner = max(getattr(config, "intermediate_size", None) or 4 * hidden, 2 * hidden)
        experts = getattr(config, "num_experts_per_tok", None) or 1
        routed = experts * (hidden + (getattr(config, "moe_intermediate_size", None) or inner)) if experts > 1 else 0
        width = (getattr(config, "head_dim", None) or 0) * (getattr(config, "num_attention_heads", None) or 0) or hidden
        layer = n_tokens * max(4 * (hidden + inner), 4 * routed, 4 * hidden + 13 * width) * size
        return int(max(layer, n_rows * len(self.lm.embeddings) * (size + 8)))

    @property
    def max_nodes(self) -> int:
        """Tokens that a tree may have so that one candidate stays inside the budget."""
        return max(1, self.budget // self.bytes_needed(1, 0))

    def size(self, evaluate: Evaluate, prompts: torch.Tensor, n_tokens: int, n_rows: int) -> int:
        """Candidates per forward pass.

        Args:
            evaluate: the forward pass, measured on a CPU unless this process has done so.
            prompts: soft prompts [N, P, H] to measure it with.
            n_tokens: tokens of a candidate, soft prompt included.
            n_rows: tokens whose next-token distribution is read.
        """
        if self._asked is not None:
            return self._asked
        if n_tokens not in self._chosen:
            limit = max(1, self.budget // self.bytes_needed(n_tokens, n_rows))
            if self.lm.embeddings.device.type == "cpu":
                measured = _fastest.setdefault(self.lm.model, {})
                limit = min(
                    limit, measured.get(n_tokens) or self._measure(evaluate, prompts, limit, measured, n_tokens)
                )
            self._chosen[n_tokens] = limit
        return self._chosen[n_tokens]

    def run(self, evaluate: Evaluate, prompts: torch.Tensor, n_tokens: int, n_rows: int) -> torch.Tensor:
        """Evaluate soft prompts [N, P, H] batch by batch; the rows of the result are the candidates in order.

        Raises:
            ValueError: if not even one candidate fits into memory.
        """

        def attempt(batch_size: int) -> torch.Tensor:
            result = torch.cat([evaluate(batch) for batch in torch.split(prompts, batch_size)])
            if batch_size < size:  # the size that memory forced holds for the rest
                self._asked, self._forced = batch_size, True
            return result

        size = 1 if len(prompts) == 1 else min(len(prompts), self.size(evaluate, prompts, n_tokens, n_rows))
        try:
            return attempt(size)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
        try:
            smaller: torch.Tensor = find_executable_batch_size(attempt, starting_batch_size=size // 2)()
        except RuntimeError as error:
            if "No executable batch size" not in str(error):
                raise
            raise ValueError(
                f"out of memory with one candidate of {n_tokens} tokens; set model.memory_gib below what is free, which cuts "
                "the survey into smaller trees, or choose a smaller model or model.dtype=bfloat16"
            ) from error
        return smaller

    def _measure(
        self, evaluate: Evaluate, prompts: torch.Tensor, limit: int, measured: dict[int, int], n_tokens: int
    ) -> int:
        """Return the fastest size up to ``limit``, and note it in ``measured`` for the other jobs of this process."""
        evaluate(prompts[:1])  # warm up
        best, best_time = 1, float("inf")
        for size in (s for s in TRIED_ON_CPU if s <= limit):
            batch = prompts[torch.arange(size) % len(prompts)]
            started = time.perf_counter()
            evaluate(batch)
            taken = (time.perf_counter() - started) / size
            if taken < best_time * MIN_SPEEDUP:
                best, best_time = size, taken
        if limit >= TRIED_ON_CPU[-1]:  # a limit by memory says nothing about the fastest size
            measured[n_tokens] = best
        return best
