"""A small result to change and to save."""

from dataclasses import replace

from cultural_sp.runs.result import RegionTarget, Result, ScoreRecord, pooled, wording_kind
from cultural_sp.runs.validity import Validity

RECORD = ScoreRecord("naive", "tuned", "none", "expected", 12.5, {"PDI": 40.0, "IDV": None}, {"m01": 3.0}, 0.2, 0.0)
VALIDITY = Validity(
    "not measurable", "not measurable: ...", 12, 24, (0.3, 0.7), {"tuned": 12}, {"PDI": 1.0}, 0.4, None, 0.1, 0.2
)


SETTINGS = {
    "optimizer": "de",
    "note": "",
    "unit": "index points",
    "published_range": (0.0, 100.0),
    "floors": {"whole_numbers": 3.0, "rounding": 15.0},
}
"""Fields of a result that follow from the config and the survey."""


def with_pools(scores):
    """Made-up records with those of pools before them: every number is the mean over the single wordings, the loss too."""
    groups = {}
    for record in scores:
        key = (record.method, wording_kind(record.wording), record.readout, record.option_order)
        groups.setdefault(key, []).append(record)
    return [*(_pool(kind, records) for (_, kind, *_), records in groups.items()), *scores]


def _pool(kind, records):
    def mean(values):
        values = list(values)
        if isinstance(values[0], dict):
            return {key: mean(value[key] for value in values) for key in values[0]}
        if isinstance(values[0], list):
            return [mean(column) for column in zip(*values, strict=True)]
        return None if None in values else sum(values) / len(values)

    names = ("loss", "dimensions", "item_means", "valid_mass", "missing", "option_probabilities")
    numbers = {name: mean(getattr(record, name) for record in records) for name in names}
    return replace(records[0], wording=pooled(kind), **numbers)


def result(**changes):
    region = {
        "code": "us",
        "country": "United States",
        "vintage": "x",
        "estimated": False,
        "target": {"PDI": 40.0, "IDV": None},
    }
    fields = {
        "name": "align",
        "region": RegionTarget(**region),
        "model": "m",
        "seed": 0,
        "evaluations": 4,
        "scores": [RECORD],
        "validity": VALIDITY,
        "provenance": {"config_hash": "abc"},
        **SETTINGS,
    }
    fields |= changes
    if not any(record.wording.endswith("_pooled") for record in fields["scores"]):
        fields["scores"] = with_pools(fields["scores"])
    return Result(**fields)


def single_spaced(table):
    """The text of a table with the padding of its cells taken out."""
    return "\n".join(" ".join(line.split()) for line in table.splitlines())
