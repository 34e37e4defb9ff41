"""Errors of files that the user names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.utils.errors import reason_of


@contextmanager
def read_errors(name: str) -> Iterator[None]:
    """Report a file that the block can't read as bad input.

    Args:
        name: the file in the message, such as ``answers=people.csv``.

    Raises:
        ValueError: if the block fails to read or parse the file.
    """
    try:
        yield
    except (
        OSError,
        UnicodeDecodeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        OmegaConfBaseException,
    ) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise ValueError(f"{name} can't be read ({reason})") from error
