"""The tables that a run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cultural_sp.config.registries import GENERATE, OPTIMIZERS, READOUTS
from cultural_sp.reporting.limits import limits_table
from cultural_sp.reporting.text_tables import text_table
from cultural_sp.runs.methods import METHODS, STRONGEST_ICL
from cultural_sp.runs.result import ALL_COUNTRIES, KINDS, Result, ScoreRecord, pooled
from cultural_sp.runs.validity import VERDICTS

MEANS_NOTHING = "These numbers show that the search works on its objective; they say nothing about a culture."


def labels(result: Result, searched: str) -> dict[str, str]:
    """Method -> its label in tables and figures, with ``(ICL)`` behind the strongest in-context baseline of a result."""
    names = {key: method.label for key, method in METHODS.items()}
    strongest = result.icl(searched)
    names[strongest] += f" ({STRONGEST_ICL.label})"
    optimizer = OPTIMIZERS.get(result.optimizer)
    names["aligned"] = "soft prompt" if optimizer is None else f"aligned ({optimizer.label})"
    return names


def columns(result: Result, searched: str) -> list[tuple[str, str, str]]:
    """Columns (title, wording, readout) of the losses: the pooled ones, tuned wordings under the searched readout first."""
    chosen = []
    for kind, name in KINDS.items():
        if number := len(result.wordings(kind)):
            readout = searched if kind == "tuned" else "expected"
            chosen.append((f"{name} ({number}) {readout}", pooled(kind), readout))
    others = [r for r in (*READOUTS, GENERATE) if r != searched]
    present = {r.readout for r in result.scores}
    return chosen + [(f"tuned {r}", "tuned" if r == GENERATE else pooled("tuned"), r) for r in others if r in present]


def single_wordings(result: Result, method: str) -> str:
    """Mean and range of a method's losses on the single held-out wordings; empty if there are none, a dash if one is missing."""
    losses = [result.score(method, wording).loss for wording in result.wordings("held_out")]
    known = [loss for loss in losses if loss is not None]
    if not losses or len(known) < len(losses):
        return "-" if losses else ""
    texts = [f"{x:.{result.digits + 1}f}" for x in (sum(known) / len(known), min(known), max(known))]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def report(results: Sequence[Result], searched: str) -> str:
    """Text printed at the end of a run: the summary of its region, or the table of a joint run's regions."""
    return joint_summary(results, searched) if results[0].joint else summary(results[0], searched)


def joint_summary(results: Sequence[Result], searched: str) -> str:
    """Losses of every region of a joint run, on the tuned wordings under the searched readout."""
    icl = STRONGEST_ICL.key
    names = labels(results[0], searched) | {icl: STRONGEST_ICL.label}
    methods = ("naive", icl, "random_search", "aligned", "midpoint")
    rows = []
    for result in results:
        keys = (result.icl(searched) if method == icl else method for method in methods)
        losses = [_loss(result.score(key, readout=searched), result.digits) for key in keys]
        rows.append([f"{result.region.code} {result.region.country}", *losses])
    table = text_table([f"loss, tuned {searched}", *(names[method] for method in methods)], rows)
    return "\n" + "\n\n".join([table, *origin(results[0]), _validity(results[0])]) + "\n"


def origin(result: Result) -> list[str]:
    """Lines on the model, a joint run and a warm start that must stand beside the numbers; empty if there is none of them."""
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
    """Losses of every method under every condition, then the dimension scores behind the first column of losses."""
    names = labels(result, searched)
    parts = [
        _loss_table(result, searched, names),
        limits_table(result, searched, names),
        _dimension_table(result, searched, names),
        *knowledge_table(result, names),
        *origin(result),
        _validity(result),
    ]
    return "\n" + "\n\n".join(parts) + "\n"


def _loss_table(result: Result, searched: str, names: Mapping[str, str]) -> str:
    conditions = columns(result, searched)
    rows = [
        [
            names[method],
            *(_loss(result.score(method, w, r), result.digits) for _, w, r in conditions),
            single_wordings(result, method),
        ]
        for method in result.methods
    ]
    heads = [title for title, _, _ in conditions]
    return text_table([f"loss ({result.unit})", *heads, "single held out: mean (range)"], rows)


def _dimension_table(result: Result, searched: str, names: Mapping[str, str]) -> str:
    target = result.region.target
    rows = []
    for method in result.methods:
        record = result.score(method, readout=searched)
        mass = "" if record.valid_mass is None else f"{record.valid_mass:.3f}"
        rows.append([names[method], *(_number(record.dimensions[d], result.digits) for d in target), mass])
    rows.append([f"target ({result.region.vintage})", *(_number(x, result.digits) for x in target.values()), ""])
    return text_table([f"scores, tuned {searched}", *target, "valid mass"], rows)


def knowledge_table(result: Result, names: Mapping[str, str]) -> list[str]:
    """Share of questions answered right with 95 % intervals, about all countries and the region's own; option orders averaged.

    Returns:
        One table, or an empty list if no questions were asked.
    """
    if result.knowledge is None:
        return []
    countries = (ALL_COUNTRIES, result.region.country)
    averaged = [s for s in result.knowledge.scores if s.order == "averaged" and s.country in countries]
    chances = {(s.task, s.country): s.chance for country in countries for s in averaged if s.country == country}
    rows = []
    for method in dict.fromkeys(s.method for s in averaged):
        cells = {
            (s.task, s.country): f"{s.accuracy:.2f} ({s.low:.2f}-{s.high:.2f})" for s in averaged if s.method == method
        }
        rows.append([names[method], *(cells[column] for column in chances)])
    rows.append(["guessing", *(f"{chance:.2f}" for chance in chances.values())])
    return [text_table([result.knowledge.title, *(f"{task}, {country}" for task, country in chances)], rows)]


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
