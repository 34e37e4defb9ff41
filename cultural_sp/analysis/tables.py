"""The terminal table at the end of a run."""

from __future__ import annotations

from cultural_sp.results import METHODS, Result, ScoreRecord

OPTIMIZERS = {
    "de": "DE",
    "de_twopoints": "two-point DE",
    "cma": "CMA-ES",
    "pso": "PSO",
    "one_plus_one": "(1+lambda)-ES",
    "random": "more random search",
}


def labels(result: Result) -> dict[str, str]:
    """Method -> what tables and figures call it."""
    return {
        "midpoint": "midpoint respondent",
        "naive": "naive",
        "persona": "persona (ICL)",
        "start": "initial soft prompt",
        "random_search": "random search",
        "aligned": f"aligned ({OPTIMIZERS[result.optimizer]})",
    }


def columns(result: Result, searched: str) -> list[tuple[str, str, str]]:
    """Columns (title, wording, readout) that a reader needs side by side; the searched readout comes first."""
    chosen = [(f"tuned {searched}", "tuned", searched)]
    wordings = list(dict.fromkeys(r.wording for r in result.scores))
    chosen += [(f"{w.replace('_', ' ')} expected", w, "expected") for w in wordings if w != "tuned"]
    rest = [r for r in ("expected", "argmax", "sample", "generate") if r != searched]
    present = {r.readout for r in result.scores}
    return chosen + [(f"tuned {r}", "tuned", r) for r in rest if r in present]


def summary(result: Result, searched: str = "expected") -> str:
    """Losses of every method, then the dimension scores behind the first column, as aligned text."""
    heads, names = columns(result, searched), labels(result)
    losses = [["loss (index points)", *(title for title, _, _ in heads)]]
    losses += [[names[m], *(_loss(result.score(m, w, r)) for _, w, r in heads)] for m in METHODS]
    dimensions = list(result.region["target"])
    scores = [[f"scores, {heads[0][0]}", *dimensions, "valid mass"]]
    for method in METHODS:
        record = result.score(method, "tuned", searched)
        mass = "" if record.valid_mass is None else f"{record.valid_mass:.3f}"
        scores.append([names[method], *(_number(record.dimensions[d]) for d in dimensions), mass])
    target = result.region["target"]
    scores.append([f"target ({result.region['vintage']})", *(_number(target[d]) for d in dimensions), ""])
    parts = [_aligned(losses), _aligned(scores)]
    if result.note:
        parts.append(f"model: {result.note}")
    parts.append(f"validity: {result.validity.sentence}" if result.validity else "validity: not checked")
    if result.validity is not None and result.validity.verdict != "measurable":
        parts.append("These numbers show that the search works on its objective; they say nothing about a culture.")
    return "\n" + "\n\n".join(parts) + "\n"


def _loss(record: ScoreRecord) -> str:
    if record.loss is None:
        return f"- ({record.missing:.0%} missing)"
    return f"{record.loss:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
