"""Tables and figure of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from cultural_sp.reporting.text_tables import text_table

LABELS = {
    "generate": "generate, item by item",
    "per_item": "one forward pass per item",
    "padded_all_logits": "padded batch, all logits",
    "peft": "PEFT prompt tuning, padded batch",
    "padded": "padded batch, last logits",
    "tree_eager": "token tree, not compiled",
    "tree": "token tree",
    "bound": "bare matrix products of its tokens",
}
"""Method -> its label, in the order of the table."""


def tables(result: Mapping[str, Any]) -> str:
    """Format ``bench.json`` as text: the methods, the machine's use, and the growth if it was measured."""
    tokens = result["tokens"]
    lines = [
        f"{result['model']}, {result['dtype']}, {result['machine']}: {tokens['sum']} tokens asked, {tokens['tree']} in the "
        f"tree, {result['batch_size']} candidate(s) per pass, median of {result['rounds']} rounds",
        "",
        text_table(METHOD_COLUMNS, method_rows(result)),
        "",
        f"fraction of the bound {result['fraction_of_bound']:.2f}; largest difference of a log-probability "
        f"{result['max_abs_diff']:.1e}; 1,000 evaluations take {result['seconds_per_1000_evaluations']:.0f} s",
    ]
    if result.get("model_flop_utilisation"):
        lines.append(
            f"model FLOP utilisation {result['model_flop_utilisation']:.2f}, peak memory {result['peak_memory_gib']:.1f} GiB"
        )
    if "growth" in result:
        lines += ["", _growth_table(result["growth"])]
    return "\n".join(lines)


METHOD_COLUMNS = ("method", "s/candidate", "tree is faster by", "lowest-highest")


def method_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows below :data:`METHOD_COLUMNS`, one per method that was timed."""
    rate, spread = result["candidates_per_second"], result["spread"]
    rows = []
    for name, label in LABELS.items():
        if name in rate:
            low, middle, high = spread.get(name, (1, 1, 1))
            rows.append([label, f"{1 / rate[name]:.3f}", f"{middle:.2f}x", f"{low:.2f}-{high:.2f}"])
    return rows


def _growth_table(growth: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            row["axis"],
            str(row["value"]),
            str(row["tokens_asked"]),
            str(row["tokens_tree"]),
            f"{row['seconds_per_candidate']:.3f}",
            f"{1e6 * row['seconds_per_candidate'] / row['tokens_tree']:.0f}",
        ]
        for row in growth
    ]
    return text_table(["growth with", "number", "tokens asked", "in the tree", "s/candidate", "us/token"], rows)


def save_figure(result: Mapping[str, Any], path: Path) -> None:
    """Draw the candidates per second of every method as bars."""
    rate = result["candidates_per_second"]
    names = [name for name in LABELS if name in rate]
    figure, axes = plt.subplots(figsize=(7.5, 0.5 * len(names) + 1.2))
    colours = ["#009E73" if name == "tree" else "#999999" if name == "bound" else "#56B4E9" for name in names]
    bars = axes.barh([LABELS[name] for name in names], [rate[name] for name in names], color=colours)
    axes.bar_label(bars, [f" {rate[name]:.2f}" for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(f"candidates per second ({result['machine']})")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
