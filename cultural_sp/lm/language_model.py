"""A frozen causal language model with its tokenizer, and what was checked when it was loaded."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cultural_sp.types import SoftPrompt


@dataclass(frozen=True)
class ModelChecks:
    """What was found out about a model on a dozen tokens."""

    chat_template_hash: str = hashlib.sha256(b"").hexdigest()
    """SHA-256 of what the chat template makes of fixed conversations; of the empty text if there is no template."""
    template_date: str | None = None
    """The date that the chat template shows; None if it shows none."""
    attention: str = ""
    """Implementation of attention that the model was loaded with."""
    tied_embeddings: bool = False
    """Whether input and output embeddings are the same weights."""
    embeddings_gap: float = 0.0
    """Largest difference between log-probabilities from token ids and from their embeddings."""
    embedding_factor: float = 1.0
    """By how much the model multiplies the embeddings of token ids, but not embeddings that it is given."""
    tree_obstacle: str | None = None
    """Reason why the model can't take a token tree, so that padded batches are used; None if it can."""
    padding_is_masked: bool = True
    """Whether padding before a text leaves its log-probabilities as they are. If not, texts are generated one at a time."""
    generates_from_embeddings: bool = True
    """Whether ``generate`` takes embeddings. If not, it gets token ids, and the embeddings are put in behind the first layer."""
    generation_problem: str | None = None
    """Reason why the model can't generate text; None if it can."""


@dataclass(frozen=True)
class LanguageModel:
    """A frozen model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template_args: dict[str, Any]
    name: str
    """The ``model.name_or_path`` it was loaded from."""
    path: str
    """Hub id or local folder that ``from_pretrained`` accepts."""
    revision: str | None = None
    """Branch, tag or commit of a hub model."""
    adapter: str | None = None
    """The ``model.adapter`` that is merged into it."""
    checks: ModelChecks = ModelChecks()
    """What a model that :func:`cultural_sp.lm.load.load_model` loads was checked for."""

    @property
    def identity(self) -> str:
        """Name of the base model in a soft prompt's files; with an adapter it is only for people to read."""
        return self.name if self.adapter is None else f"{self.name} + {self.adapter}"

    @property
    def hidden_size(self) -> int:
        """Width H of the input embeddings."""
        return int(self.embeddings.shape[1])

    @property
    def no_soft_prompt(self) -> SoftPrompt:
        """Zero virtual tokens [0, H]: the plain model."""
        return np.zeros((0, self.hidden_size), dtype=np.float32)

    @property
    def embeddings(self) -> torch.Tensor:
        """Input embedding matrix [V, H] as stored; :meth:`embed` gives the vectors that the first layer sees."""
        weight: torch.Tensor = self.model.get_input_embeddings().weight
        return weight

    @torch.inference_mode()
    def embed(self, ids: NDArray[np.int_] | None = None) -> NDArray[np.float32]:
        """Embeddings [n, H] of token ids [n] (default: all) as the first layer sees them; Gemma models scale them."""
        wanted = torch.arange(len(self.embeddings)) if ids is None else torch.from_numpy(ids)
        rows: NDArray[np.float32] = self.token_embeddings(wanted).float().cpu().numpy()
        return rows

    def token_embeddings(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings [..., H] of token ids [...] in the model's dtype and on its device, as the first layer sees them.

        Raises:
            ValueError: if the model has no embedding for one of them.
        """
        if ids.numel():
            self.check_id(int(ids.max()))
        vectors: torch.Tensor = self.model.get_input_embeddings()(ids.to(self.embeddings.device))
        return vectors if self.checks.embedding_factor == 1 else vectors * self.checks.embedding_factor

    def check_id(self, highest: int) -> None:
        """Check that the model has embeddings up to a token id; on a GPU, a missing one would end the process.

        Raises:
            ValueError: if it hasn't.
        """
        if highest >= len(self.embeddings):
            token = self.tokenizer.convert_ids_to_tokens(highest)
            raise ValueError(
                f"model.name_or_path={self.name} has {len(self.embeddings)} embeddings, but its tokenizer gives a text the token "
                f"{token!r} with id {highest}; give model and tokenizer that belong together, with embeddings for all tokens"
            )


def tolerance(lm: LanguageModel) -> float:
    """Return the difference between log-probabilities, in nats, that rounding explains."""
    return 1e-3 if lm.embeddings.dtype == torch.float32 else 0.25


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 over the names and bytes of all parameters and buffers: equal before and after a run if nothing was tuned.

    It is the hash of each tensor's name and own hash, in the order of the names, so that threads can share the work.
    """

    def digest(tensor: torch.Tensor) -> bytes:
        return hashlib.sha256(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data).digest()

    names, tensors = zip(*sorted(model.state_dict().items()), strict=True)
    with ThreadPoolExecutor() as pool:
        digests = pool.map(digest, tensors)
        return hashlib.sha256(
            b"".join(name.encode() + each for name, each in zip(names, digests, strict=True))
        ).hexdigest()
