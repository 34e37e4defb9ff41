"""A small result to change and to save."""

from cultural_sp.runs.result import RegionTarget, Result, ScoreRecord, Validity

RECORD = ScoreRecord("naive", "tuned", "none", "expected", 12.5, {"PDI": 40.0, "IDV": None}, {"m01": 3.0}, 0.2, 0.0)
VALIDITY = Validity(
    "not measurable", "not measurable: ...", 12, 24, (0.3, 0.7), {"tuned": 12}, {"PDI": 1.0}, 0.4, None, 0.1, 0.2
)


SETTINGS = {"optimizer": "de", "note": "", "unit": "index points", "published_range": (0.0, 100.0)}
"""Fields of a result that follow from the config and the survey."""


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
    return Result(**{**fields, **changes})


def single_spaced(table):
    """The text of a table with the padding of its cells taken out."""
    return "\n".join(" ".join(line.split()) for line in table.splitlines())
