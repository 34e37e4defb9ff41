"""The benchmark's tables and figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

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


def table(result: dict[str, Any]) -> str:
    """Both tables as text."""
    rate, spread, tokens = result["candidates_per_second"], result["spread"], result["tokens"]
    lines = [
        f"{result['model']}, {result['dtype']}, {result['machine']}: {tokens['sum']} tokens asked, {tokens['tree']} in the "
        f"tree, {result['batch_size']} candidate(s) per pass, median of {result['rounds']} rounds",
        f"{'':36}{'s/candidate':>12}{'tree is faster by':>19}{'lowest-highest':>18}",
    ]
    for name, label in LABELS.items():
        if name in rate:
            low, middle, high = spread.get(name, (1, 1, 1))
            lines.append(f"{label:36}{1 / rate[name]:12.3f}{middle:18.2f}x{f'{low:.2f}-{high:.2f}':>18}")
    lines.append(
        f"fraction of the bound {result['fraction_of_bound']:.2f}; largest difference of a log-probability "
        f"{result['max_abs_diff']:.1e}; 1,000 evaluations take {result['seconds_per_1000_evaluations']:.0f} s"
    )
    if result.get("model_flop_utilisation"):
        lines.append(
            f"model FLOP utilisation {result['model_flop_utilisation']:.2f}, peak memory {result['peak_memory_gib']:.1f} GiB"
        )
    if "growth" in result:
        lines += ["", f"{'':24}{'':>6}{'tokens asked':>14}{'in the tree':>13}{'s/candidate':>13}{'us/token':>10}"]
        for row in result["growth"]:
            per_token = 1e6 * row["seconds_per_candidate"] / row["tokens_tree"]
            lines.append(
                f"{row['axis']:24}{row['value']:>6}{row['tokens_asked']:>14}{row['tokens_tree']:>13}"
                f"{row['seconds_per_candidate']:>13.3f}{per_token:>10.0f}"
            )
    return "\n".join(lines)


def save_figure(result: dict[str, Any], path: Path) -> None:
    """Candidates per second of every method as bars, the bound as the last."""
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
