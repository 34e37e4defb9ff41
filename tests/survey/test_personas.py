"""The in-context baselines: what they say, and that they give none of the survey away."""

import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from helpers.results import RECORD, result

from cultural_sp.evaluation.validity_check import pole_personas
from cultural_sp.runs.methods import persona_texts
from cultural_sp.runs.result import with_strongest_icl
from cultural_sp.survey.instrument import DATA, load_survey
from cultural_sp.survey.personas import DEMONSTRATIONS
from cultural_sp.survey.regions import load_region, region_codes
from cultural_sp.survey.value_statements import load_statements


def test_answers_of_demonstrations_follow_from_the_published_scores(survey):
    text = persona_texts(survey, load_region(survey, "us"))["persona_demonstrations"]  # 40 91 62 46 26 68
    assert text.startswith(persona_texts(survey, load_region(survey, "us"))["persona"])
    assert '"Children should do as their parents say without arguing." - half agree' in text  # PDI 40, its high pole
    assert '"Pupils may address their teacher as an equal." - mostly agree' in text  # 100 - 40
    assert '"Grown children should live in a home of their own." - completely agree' in text  # IDV 91
    assert '"Cousins and in-laws belong to one\'s closest circle." - completely disagree' in text
    assert len(text.splitlines()) == 2 + 12


def test_a_score_at_the_edge_or_outside_the_scale_has_an_answer(survey):
    region = replace(load_region(survey, "us"), target=np.array([0.0, 100, 120, -5, 20, 80]))
    answers = [
        line.rsplit(" - ", 1)[1] for line in persona_texts(survey, region)["persona_demonstrations"].splitlines()[2:]
    ]
    worst, bad, _, good, best = "completely disagree", "mostly disagree", "", "mostly agree", "completely agree"
    assert answers == [worst, best, best, worst, best, worst, worst, best, bad, best, best, bad]
    assert good not in answers  # 100 - 20 is in the last fifth


def test_a_dimension_without_a_target_has_no_demonstration(survey):
    text = persona_texts(survey, load_region(survey, "sa", "matrix_2015"))["persona_demonstrations"]  # only LTO and IVR
    assert len(text.splitlines()) == 2 + 4
    assert "Unfamiliar food" not in text


def test_demonstrations_give_no_item_away(survey):
    """No content word of five letters or more of an item's construct, no five words in a row of any wording or persona."""
    claims = " ".join(s.text for s in load_statements("vsm13", folder=DEMONSTRATIONS)).lower()
    constructs = {w for i in survey.items for w in re.findall(r"[a-z]{5,}", i.construct.lower())} - {"others"}
    assert constructs.isdisjoint(re.findall(r"[a-z]+", claims))
    known = " ".join(
        [w for i in survey.items for w in i.wordings] + [t for p in survey.poles.values() for t in p.values()]
    )

    def runs(text):
        words = re.findall(r"[a-z']+", text.lower())
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    assert runs(claims).isdisjoint(runs(known))
    assert {s.dimension for s in load_statements("vsm13", folder=DEMONSTRATIONS)} == set(survey.dimensions)


def test_native_personas_are_of_known_regions_and_in_their_scripts(survey):
    raw = yaml.safe_load((DATA / "personas" / "native.yaml").read_text(encoding="utf-8"))
    assert set(raw) <= set(region_codes(survey))
    scripts = {"sa": "؀-ۿ", "cn": "一-鿿", "in": "ऀ-ॿ", "jp": "぀-ヿ", "kr": "가-힣", "ru": "Ѐ-ӿ"}
    for code, letters in scripts.items():
        text = persona_texts(survey, load_region(survey, code))["persona_native"]
        assert len(re.findall(f"[{letters}]", text)) > 0.5 * len(text.replace(" ", "")), code
    assert "persona_native" not in persona_texts(survey, load_region(survey, "us"))


def test_a_survey_without_demonstrations_has_no_such_baseline(toy_survey):
    assert list(persona_texts(toy_survey, load_region(toy_survey, "cn"))) == ["persona", "persona_native"]


def test_bad_demonstrations_of_a_survey_are_one_line(survey, tmp_path):
    with pytest.raises(
        ValueError, match="survey file: demonstrations='mine' is unknown; allowed: vsm13 or a .yaml file"
    ):
        persona_texts(replace(survey, demonstrations="mine"), load_region(survey, "us"))


def test_the_vsm_variant_has_the_same_demonstrations(survey):
    assert load_survey("vsm13_cat").demonstrations == survey.demonstrations


def test_the_strongest_persona_counts_under_each_readout():
    rows = [replace(RECORD, method=m, loss=loss) for m, loss in (("persona", 9.0), ("persona_native", 8.0))]
    rows += [replace(r, readout="argmax", loss=loss) for r, loss in zip(rows, (None, 30.0), strict=True)]
    rows += [replace(RECORD, method="persona_native", wording="held_out_1", loss=1.0)]
    assert result(scores=rows).icl() == "persona_native"
    assert result(scores=rows).icl("argmax") == "persona_native"
    assert result(scores=rows[:1]).icl() == "persona"
    assert result(scores=rows[:2]).methods == ("persona", "persona_native")


def test_a_summarised_result_has_the_strongest_persona_alone():
    rows = [
        replace(RECORD, method=m, loss=loss) for m, loss in (("naive", 5.0), ("persona", 9.0), ("persona_native", 8.0))
    ]
    found = with_strongest_icl(result(scores=rows), "expected")
    assert [(r.method, r.loss) for r in found.scores] == 2 * [("naive", 5.0), ("persona", 8.0)]  # the pool, the wording
    assert with_strongest_icl(result(scores=rows[:1]), "expected") == result(scores=rows[:1])


def test_the_last_sentence_of_personas_can_be_chosen(survey):
    region = load_region(survey, "us")
    usual = persona_texts(survey, region)["persona"]
    assert usual.endswith("Answer every question the way most people in United States would.")
    other = replace(survey, persona_instruction="Think of {country}.", pole_instruction="Answer like them.")
    assert persona_texts(other, region)["persona"].endswith("have always lived there. Think of United States.")
    assert persona_texts(replace(survey, persona_instruction=""), region)["persona"].endswith("lived there.")
    assert {text.removesuffix(" Answer like them.") for *_, text in pole_personas(other)} == {
        text for *_, text in pole_personas(survey)
    }
    assert len({survey.fingerprint(), other.fingerprint()}) == 2
