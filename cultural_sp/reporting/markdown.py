"""Tables in Markdown."""

from __future__ import annotations

import pandas as pd


def markdown_table(table: pd.DataFrame, corner: str) -> str:
    """A table with its index as first column; numbers to one digit, missing ones as a dash."""
    heads = [corner, *map(str, table.columns)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, row in table.iterrows():
        cells = [x if isinstance(x, str) else "-" if pd.isna(x) else f"{x:.1f}" for x in row]
        lines.append("| " + " | ".join([str(name), *cells]) + " |")
    return "\n".join(lines)
