"""Messages of tracking in the terminal."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from cultural_sp.utils.errors import shortened
from cultural_sp.utils.terminal import show


def sync_command(folder: Path) -> str:
    """Return the command that syncs a finished run to wandb, whether or not wandb has a part of it."""
    return f"cultural-sp sync-wandb {shlex.quote(os.path.relpath(folder))}"


def error_line(error: Exception) -> str:
    """Format an error as one line without credentials."""
    text = " ".join(str(error).split()) or type(error).__name__
    key = os.environ.get("WANDB_API_KEY")
    return shortened(re.sub(r"(?<=://)[^/@\s]+@", "", text.replace(key, "***") if key else text))


def say(text: str) -> None:
    """Print a line about wandb."""
    show(f"wandb: {text}")
