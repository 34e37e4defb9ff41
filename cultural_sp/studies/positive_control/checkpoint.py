"""Checkpoint of the training: the adapter, the optimizer and the progress in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import write_bytes

ADAPTER_PREFIX, OPTIMIZER_PREFIX = "adapter.", "optimizer."
"""Prefixes of tensor names in the file."""


@dataclass
class Progress:
    """Position in the training."""

    step: int = 0
    stage: int = 0
    recent: list[float] = field(default_factory=list)
    """Shares of right answers in the last steps of the stage."""


@dataclass(frozen=True)
class Checkpoint:
    """A file from which a training resumes."""

    path: Path
    model: Any
    """PEFT model."""
    optimizer: torch.optim.Optimizer
    settings: dict[str, Any]
    """Config of the training; a checkpoint of another config is refused."""

    def save(self, progress: Progress) -> None:
        """Write the checkpoint in one step.

        Raises:
            ValueError: if it can't be written.
        """
        optimizer_state = self.optimizer.state_dict()
        tensors = {f"{ADAPTER_PREFIX}{name}": x for name, x in get_peft_model_state_dict(self.model).items()}
        for number, entry in optimizer_state["state"].items():
            tensors |= {f"{OPTIMIZER_PREFIX}{number}.{name}": x for name, x in entry.items()}
        metadata = {
            "progress": vars(progress),
            "settings": self.settings,
            "groups": optimizer_state["param_groups"],
        }
        contiguous = {name: x.contiguous() for name, x in tensors.items()}
        write_bytes(self.path, save(contiguous, metadata={"training": json.dumps(metadata)}))

    def restore(self) -> Progress:
        """Load the file into the model and the optimizer and return its progress; start anew if there is no file.

        Raises:
            ValueError: if the file is damaged or belongs to another training.
        """
        if not self.path.exists():
            return Progress()
        metadata, tensors = self._read()
        differing = differences(metadata["settings"], self.settings)
        if differing:
            raise ValueError(
                f"{self.path} belongs to another training: {differing}; delete it, or choose another output_dir"
            )
        adapter = {
            name.removeprefix(ADAPTER_PREFIX): x for name, x in tensors.items() if name.startswith(ADAPTER_PREFIX)
        }
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, x in tensors.items():
            if name.startswith(OPTIMIZER_PREFIX):
                number, _, key = name.removeprefix(OPTIMIZER_PREFIX).partition(".")
                state.setdefault(int(number), {})[key] = x
        set_peft_model_state_dict(self.model, adapter)
        self.optimizer.load_state_dict({"state": state, "param_groups": metadata["groups"]})
        return Progress(**metadata["progress"])

    def _read(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata: dict[str, Any] = json.loads(file.metadata()["training"])
                return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.path} is no checkpoint of a training ({error}); delete it, or choose another output_dir"
            ) from error
