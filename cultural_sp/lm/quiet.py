"""The output of transformers, silenced or shown as this program's own progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging

from cultural_sp.utils.progress import with_progress


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and notices of transformers during the block; reading a GGUF file shows the program's bar."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with patch.object(modeling_gguf_pytorch_utils, "tqdm", _gguf_bar):  # asks no setting of transformers
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _gguf_bar(tensors: list[Any], **_: Any) -> Iterator[Any]:
    return with_progress("converting tensors", tensors)
