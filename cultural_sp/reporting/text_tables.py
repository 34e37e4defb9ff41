"""Tables as text for a terminal, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from cultural_sp.utils.terminal import one_line

if TYPE_CHECKING:
    import pandas as pd  # takes a while to import, and a frame brings it


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return cells as text: the heads, a rule, and the rows.

    Args:
        columns: heads of the columns.
        rows: cells as they are printed, one per column.
        left: positions of the columns that are aligned to the left; all others are aligned to the right.
    """
    alignment = ["left" if i in left else "right" for i in range(len(columns))]
    # Heads as a first row: as headers, tabulate makes their columns two characters wider.
    cells = [[one_line(cell) for cell in row] for row in [columns, *rows]]
    text = tabulate(cells, tablefmt="plain", colalign=alignment, disable_numparse=True)
    head, *body = text.splitlines()
    return "\n".join([head, "-" * len(head), *body])


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return the same in Markdown; bars in cells become slashes, as they would end the cell."""
    alignment = ["left" if i in left else "right" for i in range(len(columns))]
    cells = [[cell.replace("|", "/") for cell in row] for row in [columns, *rows]]
    return tabulate(cells[1:], cells[0], tablefmt="pipe", colalign=alignment, disable_numparse=True)


def markdown_frame(frame: pd.DataFrame, corner: str) -> str:
    """Return a data frame in Markdown: numbers with one decimal, a dash where a value is missing.

    Args:
        frame: text and numbers; its index becomes the first column.
        corner: head of that column.
    """
    rows = [[str(name), *map(_cell, row)] for name, row in frame.iterrows()]
    return markdown_table([corner, *map(str, frame.columns)], rows)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "-" if value is None or math.isnan(value) else f"{value:.1f}"
