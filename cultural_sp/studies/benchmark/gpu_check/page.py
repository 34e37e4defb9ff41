"""The result of the check as a page in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cultural_sp.reporting.text_tables import markdown_table
from cultural_sp.studies.benchmark.report import LABELS as METHODS
from cultural_sp.studies.benchmark.report import METHOD_COLUMNS, method_rows

LABELS = {
    "tree": METHODS["tree"],
    "tree_compiled": f"{METHODS['tree']}, compiled",
    "graph": f"{METHODS['tree']}, CUDA graph",
    "bound": METHODS["bound"],
}
"""Way to run the token tree, or the bound -> its label, in the order of tables."""


def page(result: Mapping[str, Any]) -> str:
    """Format the result: the machine, then every part with its outcome, its error, or why it was skipped."""
    machine = result["machine"]
    weights = "random weights, " if machine["weights_are_random"] else ""
    lines = [
        f"# {machine['name']}",
        "",
        f"{weights}{machine['model']}; commit {machine['git_commit']}; " + _packages(machine),
    ]
    for name, part in result["parts"].items():
        lines += ["", f"## {name.replace('_', ' ')}", ""]
        if "result" in part:
            table: Callable[[Any], str] = _FORMATS.get(name, _plain)
            lines += [table(part["result"]), "", f"This part took {part['part_seconds']} s."]
        else:
            lines.append(f"Failed: {part['error']}" if "error" in part else f"Skipped: {part['skipped']}")
    return "\n".join(lines) + "\n"


def _packages(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return f"CUDA {machine['cuda']}, {versions}" if machine["cuda"] else versions


def _sustained(result: Mapping[str, Any]) -> str:
    utilisation = result["model_flop_utilisation"] or {}
    rows = [
        [
            LABELS[name],
            f"{taken:.1f}",
            f"{result['tflops_per_second'][name]:.0f}",
            f"{utilisation[name]:.2f}" if name in utilisation else "unknown",
            f"{result['share_of_bound'][name]:.2f}",
        ]
        for name, taken in result["seconds"].items()
    ]
    head = ["method", f"s for {result['evaluations']:,} evaluations", "TFLOP/s", "MFU", "of the products' speed"]
    about = f"{result['tokens_tree']} tokens in the tree, {result['batch_size']} candidates per pass"
    if result["compilation_seconds"] is not None:
        about += f"; compilation took {result['compilation_seconds']:.0f} s"
    return f"{about}.\n\n{markdown_table(head, rows)}"


def _batch_sizes(result: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name in LABELS if name in result[0]]
    memory = [key for key in ("peak_gib", "estimated_gib") if key in result[0]]
    rows = [
        [str(row["candidates"]), *(f"{1 / row[name]:.1f}" for name in names), *(f"{row[key]:.2f}" for key in memory)]
        for row in result
    ]
    head = [
        "candidates per pass",
        *(f"{LABELS[n]}, candidates/s" for n in names),
        *(k.replace("_gib", " GiB") for k in memory),
    ]
    return markdown_table(head, rows)


def _kernels(result: Mapping[str, Any]) -> str:
    parts = []
    for name, profile in result.items():
        kinds = [[kind, f"{taken:.2f}"] for kind, taken in profile["by_kind"].items()]
        longest = [[f"`{kernel}`", f"{taken:.2f}"] for kernel, taken in profile["kernels"].items()]
        parts.append(f"{LABELS[name]}:\n\n{markdown_table(['kind', 'ms per candidate'], kinds)}\n")
        parts.append(markdown_table(["kernel", "ms per candidate"], longest) + "\n")
    return "\n".join(parts)


def _exactness(result: Sequence[Mapping[str, Any]]) -> str:
    keys = ("model", "placement", "rendering")
    numbers = ("float32", "bfloat16_tree", "bfloat16_separate")
    rows = [[*(row[key] for key in keys), *(f"{row[key]:.1e}" for key in numbers)] for row in result]
    head = [*keys, "float32, tree", "bfloat16, tree", "bfloat16, separate"]
    return "Largest difference of a log-probability from separate passes in float32.\n\n" + markdown_table(
        head, rows, (0, 1, 2)
    )


def _methods(result: Mapping[str, Any]) -> str:
    table = markdown_table(METHOD_COLUMNS, method_rows(result))
    return f"{table}\n\nLargest difference of a log-probability: {result['max_abs_diff']:.1e}."


def _plain(result: Mapping[str, Any]) -> str:
    return markdown_table(["what", "value"], [[key, _text(value)] for key, value in result.items()], (0, 1))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_FORMATS: dict[str, Callable[[Any], str]] = {
    "sustained": _sustained,
    "batch_sizes": _batch_sizes,
    "kernels": _kernels,
    "exactness": _exactness,
    "methods": _methods,
}
