"""The terminal tables at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from cultural_sp.config.registries import GENERATE, OPTIMIZERS, READOUTS
from cultural_sp.runs.methods import METHODS, STRONGEST_ICL
from cultural_sp.runs.result import ALL, VERDICTS, Result, ScoreRecord

MEANS_NOTHING = "These numbers show that the search works on its objective; they say nothing about a culture."


def labels(result: Result, searched: str) -> dict[str, str]:
    """Method -> its label in tables and figures; the strongest in-context baseline under the searched readout is the ICL."""
    names = {key: method.label for key, method in METHODS.items()}
    strongest = result.icl(searched)
    names[strongest] += f" ({STRONGEST_ICL.label})"
    optimizer = OPTIMIZERS.get(result.optimizer)
    names["aligned"] = "soft prompt" if optimizer is None else f"aligned ({optimizer.label})"
    return names


def columns(result: Result, searched: str) -> list[tuple[str, str, str]]:
    """Columns (title, wording, readout) that a reader needs side by side; the searched readout comes first."""
    chosen = [(f"tuned {searched}", "tuned", searched)]
    wordings = list(dict.fromkeys(r.wording for r in result.scores))
    chosen += [(f"{w.replace('_', ' ')} expected", w, "expected") for w in wordings if w != "tuned"]
    rest = [r for r in (*READOUTS, GENERATE) if r != searched]
    present = {r.readout for r in result.scores}
    return chosen + [(f"tuned {r}", "tuned", r) for r in rest if r in present]


def report(results: Sequence[Result], searched: str) -> str:
    """What a run ends with: the summary of its region, or the table of a joint run's regions."""
    return joint_summary(results, searched) if results[0].joint else summary(results[0], searched)


def joint_summary(results: Sequence[Result], searched: str) -> str:
    """Losses of every region of a joint run on the tuned wording under the searched readout, as aligned text."""
    names = labels(results[0], searched) | {"icl": "ICL"}
    methods = ("naive", "icl", "random_search", "aligned", "midpoint")
    rows = [[f"loss, tuned {searched}", *(names[method] for method in methods)]]
    for result in results:
        chosen = (result.icl(searched) if method == "icl" else method for method in methods)
        losses = [_loss(result.score(method, "tuned", searched), result.digits) for method in chosen]
        rows.append([f"{result.region.code} {result.region.country}", *losses])
    return "\n" + "\n\n".join([aligned_text(rows), *origin(results[0]), _validity(results[0])]) + "\n"


def origin(result: Result) -> list[str]:
    """What a reader must know about where a result came from, a line each: nothing if it stands for itself."""
    lines = [f"model: {result.note}"] if result.note else []
    if result.joint:
        number = f"{len(result.joint)} region{'s' if len(result.joint) > 1 else ''}"
        lines.append(
            f"joint run of {number}, which share {result.evaluations} evaluations; random search had as many in total"
        )
    if result.warm_start is not None:
        offered, runs = result.warm_start["offered"], len(result.warm_start["sources"])
        lines.append(
            f"warm start from {offered} candidates of {runs} earlier run{'s' if runs > 1 else ''}; random search had none"
        )
    return lines


def summary(result: Result, searched: str = "expected") -> str:
    """Losses of every method, then the dimension scores behind the first column, as aligned text."""
    heads, names = columns(result, searched), labels(result, searched)
    losses = [[f"loss ({result.unit})", *(title for title, _, _ in heads)]]
    losses += [[names[m], *(_loss(result.score(m, w, r), result.digits) for _, w, r in heads)] for m in result.methods]
    dimensions = list(result.region.target)
    scores = [[f"scores, {heads[0][0]}", *dimensions, "valid mass"]]
    for method in result.methods:
        record = result.score(method, "tuned", searched)
        mass = "" if record.valid_mass is None else f"{record.valid_mass:.3f}"
        scores.append([names[method], *(_number(record.dimensions[d], result.digits) for d in dimensions), mass])
    target = result.region.target
    scores.append([f"target ({result.region.vintage})", *(_number(target[d], result.digits) for d in dimensions), ""])

    parts = [
        aligned_text(losses),
        aligned_text(scores),
        *knowledge_table(result, names),
        *origin(result),
        _validity(result),
    ]
    return "\n" + "\n\n".join(parts) + "\n"


def knowledge_table(result: Result, names: dict[str, str]) -> list[str]:
    """Share of questions answered right, orders averaged, with 95 % intervals: about all countries, then about the region's."""
    if result.knowledge is None:
        return []
    shown = (ALL, result.region.country)
    averaged = [s for s in result.knowledge.scores if s.order == "averaged" and s.country in shown]
    columns = {(s.task, s.country): s.chance for country in shown for s in averaged if s.country == country}
    rows = [[result.knowledge.title, *(f"{task}, {country}" for task, country in columns)]]
    for method in dict.fromkeys(s.method for s in averaged):
        cells = {
            (s.task, s.country): f"{s.accuracy:.2f} ({s.low:.2f}-{s.high:.2f})" for s in averaged if s.method == method
        }
        rows.append([names[method], *(cells[column] for column in columns)])
    rows.append(["guessing", *(f"{chance:.2f}" for chance in columns.values())])
    return [aligned_text(rows)]


def _validity(result: Result) -> str:
    if result.validity is None:
        return "validity: not checked"
    sentence = f"validity: {result.validity.sentence}"
    return sentence if result.validity.verdict == VERDICTS[-1] else f"{sentence}\n\n{MEANS_NOTHING}"


def _loss(record: ScoreRecord, digits: int) -> str:
    if record.loss is None:
        return f"- ({record.missing:.0%} missing)"
    return f"{record.loss:.{digits + 1}f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def aligned_text(rows: list[list[str]]) -> str:
    """Rows of cells, the first one the head, as text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
