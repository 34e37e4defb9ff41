import dataclasses
from weakref import WeakKeyDictionary

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import MixtralConfig, MixtralForCausalLM

from cultural_sp.lm import batching
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.token_tree import build_tree

PROMPTS = torch.arange(5.0)[:, None, None].expand(5, 2, 32)


@pytest.fixture
def measured(monkeypatch):
    """What this process has measured: nothing yet."""
    monkeypatch.setattr(batching, "_fastest", WeakKeyDictionary())
    return batching._fastest


class Fake:
    """A forward pass that takes as long, or as much memory, as the test wants."""

    def __init__(self, fits=100):
        self.fits, self.sizes = fits, []

    def __call__(self, prompts):
        self.sizes.append(len(prompts))
        if len(prompts) > self.fits:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried 8 GB"
            )
        return prompts[:, 0, :1]


def test_a_given_size_is_used_and_the_order_kept(tiny_lm):
    fake = Fake()
    result = Batching(tiny_lm, 2).run(fake, PROMPTS, 10, 1)
    assert fake.sizes == [2, 2, 1]
    assert result.flatten().tolist() == [0, 1, 2, 3, 4]


def test_too_large_a_batch_backs_off_once_and_for_all(tiny_lm):
    fake, batching = Fake(fits=2), Batching(tiny_lm, 4)
    assert batching.run(fake, PROMPTS, 10, 1).flatten().tolist() == [0, 1, 2, 3, 4]
    assert fake.sizes == [4, 2, 2, 1]
    batching.run(fake, PROMPTS, 10, 1)
    assert fake.sizes[4:] == [2, 2, 1]


def test_backing_off_starts_from_the_candidates_there_are(tiny_lm):
    fake = Fake(fits=2)
    Batching(tiny_lm, 1000).run(fake, PROMPTS, 10, 1)
    assert fake.sizes == [5, 2, 2, 1]


def test_one_candidate_too_many_is_one_line(tiny_lm):
    with pytest.raises(ValueError, match=r"out of memory with one candidate of 10 tokens; set model.memory_gib"):
        Batching(tiny_lm, 4).run(Fake(fits=0), PROMPTS, 10, 1)


def test_other_errors_pass_through(tiny_lm):
    def broken(prompts):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        Batching(tiny_lm, 4).run(broken, PROMPTS, 10, 1)


def test_on_a_cpu_the_fastest_size_is_measured_once_in_a_process(tiny_lm, measured):
    fake = Fake()
    size = Batching(tiny_lm).size(fake, PROMPTS, 10, 1)
    assert fake.sizes == [1, 1, 2, 4]
    assert measured[tiny_lm.model] == {10: size}
    again = Fake()
    assert Batching(tiny_lm).size(again, PROMPTS, 10, 1) == size
    assert again.sizes == []
    Batching(tiny_lm).size(again, PROMPTS, 11, 1)
    assert again.sizes == [1, 1, 2, 4], "another tree is measured anew"


def test_the_budget_bounds_the_batch(tiny_lm, measured):
    fake = Fake()
    limited = Batching(tiny_lm, memory_gib=2.5 * Batching(tiny_lm).bytes_needed(10, 1) / 2**30)
    limited.size(fake, PROMPTS, 10, 1)
    assert max(fake.sizes) == 2
    assert limited.max_nodes >= 20
    assert not measured[tiny_lm.model], "with more memory another size may be the fastest"


class Peak(TorchDispatchMode):
    """Largest sum of bytes of the tensors that were made and not yet freed."""

    def __init__(self):
        super().__init__()
        self.live, self.peak = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self.live[storage.data_ptr()] = (
                    torch.multiprocessing.reductions.StorageWeakRef(storage),
                    storage.nbytes(),
                )
        self.live = {k: v for k, v in self.live.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.live.values()))
        return result


def peak_bytes(lm, n_questions, n_candidates):
    tree = build_tree(
        [TokenizedPrompt((), (*range(30), 100 + i, *range(20)), ((1,), (2,))) for i in range(n_questions)]
    )
    forward = TreeForward(lm, tree, 2)
    with Peak() as memory:
        forward(torch.zeros(n_candidates, 2, lm.hidden_size))
    return memory.peak, n_candidates * Batching(lm).bytes_needed(tree.n_nodes + 2, len(tree.sources))


def test_memory_grows_with_the_tree_and_no_faster(tiny_lm):
    small, large = peak_bytes(tiny_lm, 24, 1)[0], peak_bytes(tiny_lm, 240, 1)[0]
    assert large < 10.5 * small
    assert peak_bytes(tiny_lm, 24, 4)[0] < 4.2 * small


@pytest.mark.parametrize("n_questions", [24, 240])
def test_the_estimate_covers_what_a_pass_takes(tiny_lm, n_questions):
    peak, estimate = peak_bytes(tiny_lm, n_questions, 2)
    assert 0.3 * estimate < peak < 1.1 * estimate


def test_the_estimate_counts_the_experts_of_a_token(tiny_lm):
    config = MixtralConfig(
        vocab_size=len(tiny_lm.embeddings), hidden_size=32, intermediate_size=64, num_hidden_layers=2, head_dim=8,
        num_attention_heads=4, num_key_value_heads=2, num_local_experts=8, num_experts_per_tok=4,
    )  # fmt: skip
    model = MixtralForCausalLM(config).eval().requires_grad_(False)
    peak, estimate = peak_bytes(dataclasses.replace(tiny_lm, model=model), 240, 2)
    assert 0.5 * estimate < peak < 1.1 * estimate
