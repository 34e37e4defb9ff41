"""Made-up run folders, as many as a test needs, with everything in them that a report shows."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import yaml
from helpers.journals import write_lines
from helpers.results import SETTINGS, with_pools

from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import RegionTarget, Result, ScoreRecord
from cultural_sp.runs.validity import Validity
from cultural_sp.stats.factor.analysis import analyse
from cultural_sp.stats.factor.answers import MeasurementModel
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.regions import load_region
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.utils.serialize import jsonable

SURVEY = load_survey("vsm13")
CODES = np.arange(1, 6)
SPREAD = {"midpoint": 0.0, "naive": 1.0, "persona": 1.2, "start": 1.1, "random_search": 0.8, "aligned": 0.6}
NOT_MEASURABLE = Validity(
    "not measurable",
    "not measurable: opposite personas move 13 of 24 items the right way (95 % interval 0.35 to 0.72, chance 0.50)",
    13,
    24,
    (0.35, 0.72),
    {"tuned": 13},
    dict.fromkeys(SURVEY.dimensions, 1.0),
    0.4,
    None,
    0.3,
    0.01,
)


def write_run(
    folder,
    region="us",
    model="org/model-a",
    seed=0,
    budget=80,
    validity=NOT_MEASURABLE,
    adapter=None,
    wordings=("tuned", "held_out_1", "held_out_2"),
    **changes,
):
    """Write a run folder; ``changes`` replace fields of its result."""
    rng = np.random.default_rng([seed, *region.encode(), *model.encode()])
    target = load_region(SURVEY, region, "insights_2021")
    scores = [
        _record(rng, target.target, method, wording, readout)
        for method in SUMMARY
        for wording in wordings
        for readout in ("expected", "argmax", "sample")
    ]
    fields = {
        "name": "align",
        "region": RegionTarget.of(SURVEY, target),
        "model": model,
        "seed": seed,
        "evaluations": budget,
        "scores": scores,
        "validity": validity,
        "provenance": {"packages": {"torch": "2.9.0"}, "weights_hash_before": "ab", "weights_hash_after": "ab"},
        **SETTINGS,
    }
    folder.mkdir(parents=True)
    fields |= changes
    fields["scores"] = with_pools(fields["scores"])
    Result(**fields).save(folder / "result.json")
    config = {
        "model": {"name_or_path": model, "adapter": adapter, "note": changes.get("note", "")},
        "region": {"code": region, "vintage": None},
        "survey": {"instrument": "vsm13"},
        "readout": {"kind": "expected"},
        "optimizer": {"kind": "de", "budget": budget},
        "objective": {"kind": "l1", "valid_mass_weight": 0.0, "argmax_weight": 0.0, "constant": 50.0},
        "seed": seed,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    write_journal(folder, rng, budget)
    tokens = ["virtual_token,length,rank,token,cosine"]
    tokens += [f"{p},16.{p},{rank},token{p}{rank},0.{40 - rank}" for p in range(1, 11) for rank in range(1, 6)]
    (folder / "nearest_tokens.csv").write_text("\n".join(tokens) + "\n")
    return folder


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>|`*{{ 7*7 }}</script><!--"


def write_hostile(folder, seed=0):
    """Write a run folder in which every text that a user may choose is an attack on a page."""
    write_run(folder, model=f"org/{HOSTILE}", adapter=HOSTILE, note=HOSTILE, seed=seed)
    path = folder / "result.json"
    raw = json.loads(path.read_text())
    raw["region"] |= {"country": HOSTILE, "vintage": HOSTILE, "code": f'"><i>{seed}'}
    target = {HOSTILE: 40.0, "b": 50.0}
    raw["region"]["target"] = target
    for record in raw["scores"]:
        record["dimensions"] = dict.fromkeys(target, 30.0)
        record["item_means"] = {HOSTILE: 3.0}
        if record["option_probabilities"]:
            record["option_probabilities"] = {HOSTILE: [0.5, 0.5]}
    raw["validity"]["sentence"] = HOSTILE
    raw["provenance"] = {HOSTILE: HOSTILE}
    path.write_text(json.dumps(raw))
    (folder / "config.yaml").write_text(json.dumps({HOSTILE: HOSTILE, "model": {"adapter": HOSTILE}}))
    quoted = HOSTILE.replace('"', '""')
    (folder / "nearest_tokens.csv").write_text(f'virtual_token,length,rank,token,cosine\n1,1,1,"{quoted}",0\n')
    (folder / "statements.csv").write_text(f'weight,dimension,pole,statement\n1,"{quoted}",pair,"{quoted}"\n')


def write_journal(folder, rng, budget, names=tuple(SURVEY.dimensions)):
    lines = [{"schema_version": 5}]
    for search in ("random_search", "aligned"):
        for index in range(budget):
            loss = float(20 + 30 * rng.random() - (10 * index / budget if search == "aligned" else 0))
            scores = dict(zip(names, (50 + loss * rng.random(len(names))).tolist(), strict=True))
            record = {
                "search": search,
                "index": index,
                "loss": loss,
                "l1": loss,
                "dimensions": scores,
                "valid_mass": 0.5,
            }
            lines.append(record)
    write_lines(folder / "evaluations.jsonl", lines)


def _record(rng, target, method, wording, readout):
    chances = rng.dirichlet(np.ones(5) / 0.3, size=24)
    means = chances @ CODES if SPREAD[method] else np.full(24, 3.0)
    means = 3 + SPREAD[method] * (means - 3) * (1.0 if wording == "tuned" else 1.4)
    scores = dimension_scores(SURVEY.scoring, means[None])[0]
    ids = [item.id for item in SURVEY.items]
    return ScoreRecord(
        method=method,
        wording=wording,
        option_order="none",
        readout=readout,
        loss=jsonable(np.abs(scores - target).mean()),
        dimensions=dict(zip(SURVEY.dimensions, scores.tolist(), strict=True)),
        item_means=dict(zip(ids, means.tolist(), strict=True)),
        valid_mass=None if method == "midpoint" else float(rng.random() / 50),
        missing=0.0,
        option_probabilities=dict(zip(ids, chances.round(6).tolist(), strict=True))
        if readout == "expected" and method != "midpoint"
        else None,
    )


def two_analyses():
    """One of three hundred respondents and one of too few."""
    model = MeasurementModel({"one": {"a": 1, "b": 1, "c": -1}, "two": {"d": 1, "e": 1, "f": 1}})
    rng = np.random.default_rng(0)
    found = []
    for group, number in (("before", 300), ("after", 5)):
        factors = np.repeat(rng.standard_normal((number, 2)), 3, axis=1) * [1, 1, -1, 1, 1, 1]
        answers = pd.DataFrame(factors + rng.normal(0, 0.8, (number, 6)), columns=list("abcdef"))
        found.append(analyse(group, answers, model))
    return found


def write_analyses(folder, analyses):
    """Write a factor analysis into a run folder, as far as a report reads it."""
    there = folder / "factor_analysis"
    (there / "figures").mkdir(parents=True)
    found = {"title": "", "note": "", "analyses": jsonable([asdict(a) for a in analyses]), "invariance": None}
    (there / "factor_analysis.json").write_text(json.dumps(found))
    (there / "figures" / "loadings.png").write_bytes(b"a picture")
    return there
