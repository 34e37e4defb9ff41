"""This process among those that a launcher such as ``torchrun`` started together."""

from __future__ import annotations

import os


def first_process() -> bool:
    """Whether this is the process that leads and writes."""
    return os.environ.get("RANK", "0") == "0"


def several_processes() -> bool:
    """Whether a launcher started this program as one of several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
