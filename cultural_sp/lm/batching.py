"""How many candidates share one forward pass: as many as memory allows on an accelerator, what is fastest on a CPU."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable

import psutil
import torch
from accelerate.utils import find_executable_batch_size
from accelerate.utils.memory import should_reduce_batch_size

from cultural_sp.lm.load import LanguageModel, cache_folder

TRIED_ON_CPU = (1, 2, 4)
MIN_SPEEDUP = 0.97  # a larger batch must take less than this share of the time per candidate
Evaluate = Callable[[torch.Tensor], torch.Tensor]


class Batching:
    """Splits candidates into forward passes that fit into memory; a pass that doesn't fit after all is halved and repeated."""

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
        """Choose no longer: a search that goes on needs its old batches. What memory has forced stays."""
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
        """Estimated peak of the activations of one candidate: the larger of a layer's and the output's.

        A layer holds at most the residual stream, its normed copy and the four tensors of the gated product, all of them once
        per expert that a token is sent to, or the residual stream and attention's queries, output and fetched keys and values
        (each about five times); the output the logits, their float32 copy and its exponentials.

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
        layer = n_tokens * 4 * max(hidden + inner, routed, hidden + 3 * width) * size
        return int(max(layer, n_rows * len(self.lm.embeddings) * (size + 8)))

    @property
    def max_nodes(self) -> int:
        """Tokens that a tree may have so that one candidate stays inside the budget."""
        return max(1, self.budget // self.bytes_needed(1, 0))

    def size(self, evaluate: Evaluate, prompts: torch.Tensor, n_tokens: int, n_rows: int) -> int:
        """Candidates per forward pass.

        Args:
            evaluate: the forward pass, measured on a CPU that hasn't seen this model and tree before.
            prompts: soft prompts [N, P, H] to measure it with.
            n_tokens: tokens of a candidate, soft prompt included.
            n_rows: tokens whose next-token distribution is read.
        """
        if self._asked is not None:
            return self._asked
        if n_tokens not in self._chosen:
            limit = max(1, self.budget // self.bytes_needed(n_tokens, n_rows))
            if self.lm.embeddings.device.type == "cpu":
                known = _remembered().get(self._key(n_tokens))
                limit = min(limit, known or self._measure(evaluate, prompts, n_tokens, limit))
            self._chosen[n_tokens] = limit
        return self._chosen[n_tokens]

    def run(self, evaluate: Evaluate, prompts: torch.Tensor, n_tokens: int, n_rows: int) -> torch.Tensor:
        """Evaluate soft prompts [N, P, H] batch by batch; the rows of the result are the candidates in order.

        Raises:
            ValueError: if not even one candidate fits into memory.
        """

        def attempt(batch_size: int) -> torch.Tensor:
            result = torch.cat([evaluate(batch) for batch in torch.split(prompts, batch_size)])
            if batch_size < size:  # what memory forced now holds for the rest
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

    def _measure(self, evaluate: Evaluate, prompts: torch.Tensor, n_tokens: int, limit: int) -> int:
        evaluate(prompts[:1])  # warm up
        best, best_time = 1, float("inf")
        for size in (s for s in TRIED_ON_CPU if s <= limit):
            batch = prompts[torch.arange(size) % len(prompts)]
            started = time.perf_counter()
            evaluate(batch)
            taken = (time.perf_counter() - started) / size
            if taken < best_time * MIN_SPEEDUP:
                best, best_time = size, taken
        if limit >= TRIED_ON_CPU[-1]:  # what little memory allows today says nothing about the fastest
            _remember(self._key(n_tokens), best)
        return best

    def _key(self, n_tokens: int) -> str:
        """What the fastest size depends on: machine, threads, library, model and the size of the tree."""
        place = (platform.node(), torch.get_num_threads(), torch.__version__, self.lm.path, self.lm.embeddings.dtype)
        return "|".join(str(part) for part in (*place, n_tokens))


def _remembered() -> dict[str, int]:
    try:
        found = json.loads((cache_folder() / "batch_sizes.json").read_text(encoding="utf-8"))
        return {str(key): max(1, int(size)) for key, size in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # nothing is lost but the measurement
        return {}


def _remember(key: str, size: int) -> None:
    path = cache_folder() / "batch_sizes.json"
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(_remembered() | {key: size}, indent=1), encoding="utf-8")
        scratch.replace(path)
    except OSError:  # a cache that can't be written costs only time
        pass
