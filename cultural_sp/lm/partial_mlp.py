"""The MLP of the last layer, computed only for the tokens whose output is read."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from transformers import PreTrainedModel

from cultural_sp.lm.compile import decoder_layers


class LastRows:
    """Within the block, the ``mlp`` of the last layer computes the wanted tokens and leaves zeros for the others.

    Models whose last layer has no ``mlp``, or one that returns more than a tensor, stay as they are.
    """

    def __init__(self, model: PreTrainedModel, rows: torch.Tensor) -> None:
        """Compute tokens ``rows`` [R] of sequences [N, S, H]."""
        layers = decoder_layers(model)
        self.mlp: Any = getattr(layers[-1], "mlp", None) if layers else None
        if self.mlp is None:
            return
        usual = self.mlp.forward
        self.replaced = self.mlp.__dict__.get("forward")  # a hook, where the model is spread over several devices

        def forward(x: torch.Tensor) -> Any:
            here = rows.to(x.device)
            part = usual(x[:, here])
            if not isinstance(part, torch.Tensor):
                return usual(x)
            out = torch.zeros_like(x)
            out[:, here] = part.to(x.device)
            return out

        self.forward = forward  # one object for all passes, or a compiler would start over with each

    def __enter__(self) -> None:
        """Replace the forward pass of the MLP."""
        if self.mlp is not None:
            self.mlp.forward = self.forward

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put it back."""
        if self.mlp is not None:
            del self.mlp.forward
            if self.replaced is not None:
                self.mlp.forward = self.replaced
