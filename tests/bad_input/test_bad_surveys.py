"""Surveys, questionnaires, statements, targets and knowledge questions: damaged, incomplete, huge, wrongly encoded."""

import csv
import io

import pytest
import yaml
from helpers.malformed import Case, ends_in_one_line
from helpers.tiny import TOY

from cultural_sp.evaluation.knowledge.questions import OWN_QUESTIONS

pytestmark = pytest.mark.slow

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
ENCODINGS = {
    "latin-1": TOY.replace("Toy", "Toyé").encode("latin-1"),
    "utf-16": TOY.encode("utf-16"),
    "utf-32": TOY.encode("utf-32"),
    "a zero byte": TOY.encode() + b"\0",
    "a control character": TOY.encode() + b"x: \x07",
    "binary": bytes(range(256)) * 20,
}
YAML_DAMAGE = {
    "nothing": "",
    "only blanks": " \n\n  \n",
    "only a comment": "# soon",
    "a text": "hello",
    "a number": "3",
    "a list": "- a\n- b",
    "an open bracket": "name: [a, b",
    "an open quote": 'name: "a',
    "tabs": "name:\n\t- a",
    "two documents": "a: 1\n---\nb: 2",
    "an unknown alias": "a: *nothing",
    "a Python object": "a: !!python/object/apply:os.system ['touch {here}/pwned']",
    "a Python module": "a: !!python/module:os",
    "a binary tag": "a: !!binary '***'",
    "a timestamp that is none": "a: 2001-99-99",
    "a key that is a list": "[a, b]: c",
    "a repeated key": "a: 1\na: 2",
    "too deep": "a: " + "[" * 20000,
    "a bomb": BOMB,
    "too large": "a: " + "x" * 3_000_000,
}
# what in TOY -> by what, and what the line says of it
SURVEYS = {
    "no name": ("name: toy\n", "", "'name'"),
    "no title": ("title: Toy survey\n", "", "'title'"),
    "no targets": ("targets: hofstede.csv\n", "", "'targets'"),
    "no vintage": ("default_vintage: insights_2021\n", "", "'default_vintage'"),
    "no scales": ("scales:", "scalez:", "scale"),
    "no items": ("items:", "itemz:", "item"),
    "no dimensions": ("dimensions:", "dimensionz:", "dimension"),
    "an empty list of items": (TOY[TOY.index("items:") : TOY.index("dimensions:")], "items: []\n", "at least one item"),
    "an item without id": ("{id: a, ", "{", "'id'"),
    "an item without scale": ("construct: a, scale: five, ", "construct: a, ", "'scale'"),
    "an item without wordings": (', wordings: ["Do you like apples?", "Are apples good?"]', "", "'wordings'"),
    "an unknown scale": ("construct: a, scale: five", "construct: a, scale: six", "'six'; defined: five, three"),
    "an item that is a text": (
        '{id: a, construct: a, scale: five, wordings: ["Do you like apples?", "Are apples good?"]}',
        "apples",
        "compare with vsm13.yaml",
    ),
    "repeated ids": ("{id: b, construct: b", "{id: a, construct: b", "repeated: a"),
    "no wording": ('["Do you like apples?", "Are apples good?"]', "[]", "a list of texts"),
    "one wording less": ('["Do you like apples?", "Are apples good?"]', '["Do you like apples?"]', "wordings"),
    "an empty wording": ('"Are apples good?"', '" "', "non-empty wordings"),
    "a wording that is a number": ('"Are apples good?"', "3", "in quotes"),
    "a wording that is yes": ('"Are apples good?"', "yes", "in quotes"),
    "a wording that is null": ('"Are apples good?"', "null", "in quotes"),
    "wordings that are a text": (
        '["Do you like apples?", "Are apples good?"]',
        "Do you like apples",
        "wordings must be a list",
    ),
    "labels that are numbers": ("[much, some, none]", "[1, 2, 3]", "in quotes"),
    "labels that are yes and no": ("[much, some, none]", "[yes, no]", "in quotes"),
    "one label": ("[much, some, none]", "[much]", "at least two different labels"),
    "the same label twice": ("[much, some, none]", "[much, much, none]", "at least two different labels"),
    "an empty label": ("[much, some, none]", '[much, "", none]', "three"),
    "no labels": ("labels: [much, some, none]", "label: 3", "'labels'"),
    "scales that are a list": (TOY[TOY.index("scales:") : TOY.index("items:")], "scales: [five]\n", "vsm13.yaml"),
    "a scale that is a text": ('three: {lead: "I think", labels: [much, some, none]}', "three: much", "vsm13.yaml"),
    "an unknown item": ("PDI: {a: 10", "PDI: {z: 10", "undefined items: z"),
    "a weight that is a text": ("PDI: {a: 10", "PDI: {a: ten", "ten"),
    "a weight that is null": ("PDI: {a: 10", "PDI: {a: null", "number"),
    "a weight that is NaN": ("PDI: {a: 10", "PDI: {a: .nan", "finite"),
    "a weight that is infinite": ("PDI: {a: 10", "PDI: {a: .inf", "finite"),
    "a weight in Arabic digits": ("PDI: {a: 10", "PDI: {a: \u0661\u0660", "PDI, a: '\u0661\u0660' is no plain number"),
    "a weight with an underscore": ("PDI: {a: 10", "PDI: {a: 1_0", "'1_0' is no plain number"),
    "a weight that is yes": ("PDI: {a: 10", "PDI: {a: yes", "PDI, a: True is no plain number"),
    "a code that is a time": (
        "[much, some, none]",
        "[much, some, none], codes: [1, 2, 1:30]",
        "'1:30' is no plain number",
    ),
    "codes that are a text": ("[much, some, none]", "[much, some, none], codes: '123'", "give a list of numbers"),
    "a repeated weight": ("PDI: {a: 10", "PDI: {a: 1, a: 10", "a is repeated"),
    "a dimension without items": ("PDI: {a: 10, b: -10}", "PDI: {}", "at least one item"),
    "a dimension that is a list": ("PDI: {a: 10, b: -10}", "PDI: [a, b]", "item id -> number"),
    "dimensions that are a list": (
        TOY[TOY.index("dimensions:") : TOY.index("poles:")],
        "dimensions: [PDI]\n",
        "number",
    ),
    "a dimension without targets": ("PDI: {a: 10", "XYZ: {a: 10", "XYZ"),
    "unknown targets": ("hofstede.csv", "mine.csv", "targets='mine.csv' is unknown"),
    "targets outside": ("hofstede.csv", "../../../../etc/passwd", "etc/passwd"),
    "an unknown vintage": ("insights_2021", "insights_1066", "insights_1066"),
    "poles that are a list": (TOY[TOY.index("poles:") :], "poles: [high, low]", "vsm13.yaml"),
    "a pole that is a number": ("high: You like apples.", "high: 3", "in quotes"),
    "a pole too few": ("{high: You like apples., low: You like bread.}", "{high: You like apples.}", "PDI"),
    "a wording too long for the model": ("Do you like apples?", "apples " * 20000, "tokens in sequence"),
    "a label too long for the model": ("[much, some, none]", f"[{'much ' * 20000}, some, none]", "tokens in sequence"),
    "an unknown basis": (TOY, "name: x\ntitle: x\nextends: vsm99\n", "vsm99"),
    "a basis that is itself": (TOY, "name: x\ntitle: x\nextends: s.yaml\n", "extends="),
    "a basis outside": (TOY, "name: x\ntitle: x\nextends: ../../vsm13\n", "../../vsm13"),
}
INSTRUMENT = ["survey.instrument={here}/s.yaml"]
CASES = {f"survey: {name}": Case(INSTRUMENT, ["s.yaml"], {"s.yaml": text}) for name, text in YAML_DAMAGE.items()}
CASES |= {
    f"survey in {name}": Case(INSTRUMENT, ["s.yaml", "UTF-8"], {"s.yaml": text}) for name, text in ENCODINGS.items()
}


def _survey(old, new, says):
    assert old in TOY
    valid = ["validity=true"] if "pole" in old else []
    return Case([*INSTRUMENT, *valid], [says], {"s.yaml": TOY.replace(old, new, 1)})


CASES |= {f"survey with {name}": _survey(*change) for name, change in SURVEYS.items()}
CASES |= {
    "survey that is a folder": Case(INSTRUMENT, ["s.yaml", "Is a directory"], prepare=lambda h: (h / "s.yaml").mkdir()),
    "survey that is not there": Case(INSTRUMENT, ["s.yaml", "No such file"]),
    "survey behind a broken link": Case(
        INSTRUMENT, ["s.yaml", "No such file"], prepare=lambda h: (h / "s.yaml").symlink_to(h / "none")
    ),
    "survey behind a circle of links": Case(
        INSTRUMENT, ["s.yaml"], prepare=lambda h: (h / "s.yaml").symlink_to(h / "s.yaml")
    ),
    "survey below a file": Case(["survey.instrument={here}/f/s.yaml"], ["Not a directory"], {"f": ""}),
    "survey of a long name": Case([f"survey.instrument={{here}}/{'x' * 300}.yaml"], ["name too long"]),
}

# Questionnaires
ROWS = [["item", "text", "option_1", "option_2", "option_3", "option_4", "option_5"]]
ROWS += [[f"m{i:02}", f"Question {i}?", *"abcde"] for i in range(1, 25)]


def _csv(rows=ROWS, **how):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **how).writerows(rows)
    return text.getvalue()


def _with(row, column, value):
    return _csv([*ROWS[:row], [*ROWS[row][:column], value, *ROWS[row][column + 1 :]], *ROWS[row + 1 :]])


MINE = "survey.questionnaire="
QUESTIONNAIRES = {
    "nothing": ("", "is empty"),
    "only heads": (_csv(ROWS[:1]), "lacks: m01"),
    "an item too few": (_csv(ROWS[:-1]), "lacks: m24"),
    "an item too many": (_csv([*ROWS, ["m25", "x?", *"abcde"]]), "unknown items: m25"),
    "a repeated item": (_csv([*ROWS, ROWS[1]]), "repeats: m01"),
    "a renamed item": (_with(3, 0, "m3"), "lacks: m03"),
    "an empty id": (_with(3, 0, ""), "lacks: m03"),
    "an empty text": (_with(5, 1, " "), "m05 has an empty text"),
    "an empty option": (_with(5, 4, ""), "m05 has 5 options"),
    "the same option twice": (_with(5, 4, "a"), "m05 has 5 options"),
    "a sixth option": (_csv([[*row, "option_6" if row[0] == "item" else "f"] for row in ROWS]), "6 options"),
    "four options": (_csv([row[:-1] for row in ROWS]), "4 options"),
    "a column too many": (_csv([ROWS[0], [*ROWS[1], "x"], *ROWS[2:]]), "7 fields expected"),
    "a column too few": (_csv([ROWS[0], ROWS[1][:-1], *ROWS[2:]]), "7 fields expected"),
    "other heads": (_csv([["id", *ROWS[0][1:]], *ROWS[1:]]), "expected item,text"),
    "heads in another order": (_csv([["text", "item", *ROWS[0][2:]], *ROWS[1:]]), "expected item,text"),
    "options that skip a number": (_csv([[*ROWS[0][:-1], "option_6"], *ROWS[1:]]), "expected item,text"),
    "semicolons": (_csv(delimiter=";"), "between semicolons, but commas are expected"),
    "tabs": (_csv(delimiter="\t"), "between tabs, but commas are expected"),
    "no heads": (_csv(ROWS[1:]), "expected item,text"),
    "an open quote": (_csv() + 'm25,"open', "quotes"),
    "a quote inside": (_csv() + 'm25,"a"b,c', "quotes"),
    "a zero byte": (_csv() + "m25,\0,,,,,\n", "line 26: a zero byte"),
    "a huge field": (_with(5, 1, "x" * 200_000), "field"),
    "latin-1": (_with(5, 1, "Fragé?").encode("latin-1"), "not UTF-8"),
    "utf-16": (_csv().encode("utf-16"), "it is UTF-16 or UTF-32 text, not UTF-8"),
    "binary": (bytes(range(256)), "not UTF-8"),
    "a spreadsheet": (b"PK\x03\x04" + bytes(range(128, 256)), "a zipped file such as .xlsx or .ods, not UTF-8"),
}
CASES |= {
    f"questionnaire: {name}": Case([f"{MINE}{{here}}/q.csv"], ["q.csv", says], {"q.csv": text})
    for name, (text, says) in QUESTIONNAIRES.items()
}
ENTRIES = [{"item": f"m{i:02}", "text": f"Question {i}?"} for i in range(1, 25)]
YAML_QUESTIONNAIRES = {
    "a mapping": {"m01": "Question?"},
    "an unknown entry": [{**ENTRIES[0], "note": "x"}, *ENTRIES[1:]],
    "no text": [{"item": "m01"}, *ENTRIES[1:]],
    "a text that is a number": [{"item": "m01", "text": 3}, *ENTRIES[1:]],
    "a text that is yes": [{"item": "m01", "text": True}, *ENTRIES[1:]],
    "an item that is a number": [{"item": 1, "text": "x?"}, *ENTRIES[1:]],
    "options that are a text": [{**ENTRIES[0], "options": "abcde"}, *ENTRIES[1:]],
    "options that are numbers": [{**ENTRIES[0], "options": [1, 2, 3, 4, 5]}, *ENTRIES[1:]],
    "three options": [{**ENTRIES[0], "options": ["a", "b", "c"]}, *ENTRIES[1:]],
    "an item too few": ENTRIES[1:],
    "a list of texts": ["m01", "m02"],
}
CASES |= {
    f"questionnaire in YAML: {name}": Case([f"{MINE}{{here}}/q.yaml"], ["q.yaml"], {"q.yaml": yaml.safe_dump(content)})
    for name, content in YAML_QUESTIONNAIRES.items()
}
CASES |= {
    f"questionnaire in YAML: {name}": Case([f"{MINE}{{here}}/q.yaml"], ["q.yaml"], {"q.yaml": text})
    for name, text in YAML_DAMAGE.items()
}
CASES |= {
    "questionnaire of another ending": Case([f"{MINE}{{here}}/q.xlsx"], ["'.xlsx'; allowed: .csv"], {"q.xlsx": b"PK"}),
    "questionnaire that is not there": Case([f"{MINE}{{here}}/q.csv"], ["q.csv", "No such file"]),
    "questionnaire that is a folder": Case(
        [f"{MINE}{{here}}/q.csv"], ["q.csv", "Is a directory"], prepare=lambda h: (h / "q.csv").mkdir()
    ),
}

# Statements
STATEMENTS = {
    "one pole": "PDI: {high: [a]}",
    "a third pole": "PDI: {high: [a], low: [b], middle: [c]}",
    "no texts": "PDI: {high: [], low: [b]}",
    "a text that is a number": "PDI: {high: [1], low: [b]}",
    "an empty text": "PDI: {high: ['  '], low: [b]}",
    "texts that are a text": "PDI: {high: a, low: b}",
    "a repeated text": "PDI: {high: [a], low: [a]}",
    "a dimension that is a list": "PDI: [a, b]",
    "a repeated dimension": "PDI: {high: [a], low: [b]}\nPDI: {high: [c], low: [d]}",
} | {name: text for name, text in YAML_DAMAGE.items() if name != "a bomb"}
CASES |= {
    f"statements: {name}": Case(
        ["soft_prompt=statements", "soft_prompt.statements={here}/v.yaml"],
        ["v.yaml", "soft_prompt.statements="],
        {"v.yaml": text},
    )
    for name, text in STATEMENTS.items()
}
CASES |= {
    "statements of an unknown name": Case(
        ["soft_prompt=statements", "soft_prompt.statements=vsm31"], ["soft_prompt.statements='vsm31'", "vsm13"]
    ),
    "statements that are not there": Case(
        ["soft_prompt=statements", "soft_prompt.statements={here}/v.yaml"], ["v.yaml", "No such file"]
    ),
    "statements out of balance": Case(
        ["soft_prompt=poles", "soft_prompt.statements={here}/v.yaml"],
        ["PDI has 2 high and 1 low"],
        {"v.yaml": "PDI: {high: [a, b], low: [c]}"},
    ),
}

# Knowledge questions
KNOWLEDGE = yaml.safe_load(OWN_QUESTIONS.read_text(encoding="utf-8"))


def _own(**changes):
    first = {**KNOWLEDGE["questions"][0], **changes}
    return yaml.safe_dump({**KNOWLEDGE, "questions": [{k: v for k, v in first.items() if v is not None}]})


QUESTIONS = {
    "no questions": yaml.safe_dump({**KNOWLEDGE, "questions": []}),
    "questions that are null": yaml.safe_dump({**KNOWLEDGE, "questions": None}),
    "no name": yaml.safe_dump({k: v for k, v in KNOWLEDGE.items() if k != "name"}),
    "a question without country": _own(country=None),
    "a question without source": _own(source=None),
    "a right answer that is yes": _own(right=True),
    "two wrong answers": _own(wrong=["a", "b"]),
    "four wrong answers": _own(wrong=["a", "b", "c", "d"]),
    "the same wrong answer twice": _own(wrong=["a", "a", "b"]),
    "wrong answers that are numbers": _own(wrong=[1, 2, 3]),
    "an empty text": _own(text=" "),
    "a question that is a text": yaml.safe_dump({**KNOWLEDGE, "questions": ["why?"]}),
} | {name: text for name, text in YAML_DAMAGE.items() if name not in ("a bomb", "too deep")}
CASES |= {
    f"knowledge: {name}": Case(
        ["knowledge=own", "knowledge.source={here}/k.yaml"], ["knowledge.source=", "k.yaml"], {"k.yaml": text}
    )
    for name, text in QUESTIONS.items()
}
EASY = [
    ["question_idx", "country", "prompt_question", "answer", *(f"prompt_option_{x}" for x in "abcd")],
    ["1", "Peru", "Which?", "A", *"wxyz"],
]
HARD = [["question_idx", "country", "prompt_question", "answer", "prompt_option"]]
HARD += [["1", "Peru", "Which?", right, option] for right, option in zip("TFFF", "wxyz", strict=True)]
BENCHMARKS = {
    "no file": {"other.csv": "a,b"},
    "nothing": {"CulturalBench-Easy.csv": ""},
    "a column too few": {"CulturalBench-Easy.csv": _csv([row[:-1] for row in EASY])},
    "an answer E": {"CulturalBench-Easy.csv": _csv([EASY[0], [*EASY[1][:3], "E", *EASY[1][4:]]])},
    "binary": {"CulturalBench-Easy.csv": bytes(range(256))},
    "latin-1": {"CulturalBench-Easy.csv": _csv(EASY).replace("Peru", "Pérou").encode("latin-1")},
    "an open quote": {"CulturalBench-Easy.csv": _csv(EASY) + '2,"open'},
    "a row too wide": {"CulturalBench-Easy.csv": _csv([*EASY, [*EASY[1], "x", "y"]])},
    "judgements T and F": {"CulturalBench-Hard.csv": _csv(HARD)},
    "three judgements": {"CulturalBench-Hard.csv": _csv(HARD[:-1]).replace("T", "True").replace(",F,", ",False,")},
    "a question twice": {"CulturalBench-Easy.csv": _csv([*EASY, EASY[1]])},
    "a judgement twice": {
        "CulturalBench-Hard.csv": _csv([*HARD[:4], HARD[3]]).replace("T", "True").replace(",F,", ",False,")
    },
    "semicolons": {"CulturalBench-Easy.csv": _csv(EASY, delimiter=";")},
    "a column twice": {"CulturalBench-Easy.csv": _csv([[*row, row[-1]] for row in EASY])},
    "a workbook": {"CulturalBench-Hard.csv": b"PK\x03\x04"},
    "a table that is no parquet": {"CulturalBench-Hard.parquet": _csv(HARD)},
    "broken parquet": {"CulturalBench-Easy.parquet": b"PAR1 nothing"},
    "no question": {"CulturalBench-Easy.csv": _csv(EASY[:1])},
}
CASES |= {
    f"CulturalBench: {name}": Case(
        ["knowledge=culturalbench", "knowledge.source={here}", "knowledge.countries=null"],
        ["{here}"[:0], "ulturalBench"],
        files,
    )
    for name, files in BENCHMARKS.items()
}
CASES |= {
    "CulturalBench without network": Case(
        ["knowledge=culturalbench"], ["knowledge.source=kellycyy/CulturalBench", "own"]
    ),
    "CulturalBench about Atlantis": Case(
        ["knowledge=culturalbench", "knowledge.source={here}", "knowledge.countries=[Atlantis]"],
        ["Atlantis", "Peru"],
        {"CulturalBench-Easy.csv": _csv(EASY)},
    ),
    "knowledge about Atlantis": Case(["knowledge=own", "knowledge.countries=[Atlantis]"], ["Atlantis", "allowed: "]),
}

# Target tables
HEAD = "vintage,iso_alpha2,country,estimated,PDI,IDV\n"
TARGETS = {
    "NaN": HEAD + "insights_2021,US,United States,,nan,91\n",
    "infinity": HEAD + "insights_2021,US,United States,,inf,91\n",
    "a text": HEAD + "insights_2021,US,United States,,high,91\n",
    "no score at all": HEAD + "insights_2021,US,United States,,,\n",
    "no rows": HEAD,
    "nothing": "",
    "latin-1": (HEAD + "insights_2021,US,États-Unis,,1,91\n").encode("latin-1"),
    "utf-16": (HEAD + "insights_2021,US,United States,,1,91\n").encode("utf-16"),
    "binary": bytes(range(256)),
    "short rows": HEAD + "insights_2021,US\n",
    "an open quote": HEAD + 'insights_2021,US,"United States,,40,91\n',
    "a column too few": HEAD.replace(",IDV", "") + "insights_2021,US,United States,,40\n",
    "no country": HEAD.replace("country,", "") + "insights_2021,US,,40,91\n",
    "another vintage": HEAD + "2021,US,United States,,40,91\n",
    "another region": HEAD + "insights_2021,JP,Japan,,54,46\n",
}
US = HEAD + "insights_2021,US,United States,,40,91\n"
PLACES = {  # what the line says of the place and of the value
    "an unquoted comma": (US + "insights_2021,KR,Korea, South,,60,18\n", ["mine.csv, line 3", "7"]),
    "a shifted row": (US + "insights_2021,KR,Korea, South,60,18\n", ["mine.csv, line 3, column estimated", "'South'"]),
    "a decimal comma": (US + "insights_2021,KR,Korea,,60,18,5\n", ["mine.csv, line 3", "decimal point"]),
    "a quoted decimal comma": (US + 'insights_2021,KR,Korea,,60,"18,5"\n', ["mine.csv, line 3, column IDV", "'18,5'"]),
    "a row twice": (
        US + "insights_2021,us,United States,,41,91\n",
        ["mine.csv, line 3 repeats", "line 2", "iso_alpha2=US"],
    ),
    "a column twice": (US.replace("IDV", "PDI"), ["mine.csv, line 1: columns 5 and 6 are both PDI"]),
    "a header one short": (US.replace("vintage,", ""), ["mine.csv, line 2: 5 fields expected", "6"]),
    "full-width digits": (US.replace("91", "\uff19\uff11"), ["mine.csv, line 2, column IDV", "'\uff19\uff11'"]),
    "Arabic digits": (US.replace("91", "\u0669\u0661"), ["mine.csv, line 2, column IDV", "'\u0669\u0661'"]),
    "a hard space": (US.replace("91", "91\u00a0"), ["mine.csv, line 2, column IDV", "'91\\xa0'"]),
    "an underscore": (US.replace("91", "9_1"), ["mine.csv, line 2, column IDV", "'9_1'"]),
    "a code with a hard space": (US.replace("US", "US\u00a0"), ["mine.csv, line 2, column iso_alpha2"]),
    "an empty row inside": (
        US + ",,,,,\n" + US.partition("\n")[2].replace("US", "KR"),
        ["line 3, column vintage", "empty"],
    ),
    "semicolons": (US.replace(",", ";"), ["targets=mine.csv has its columns between semicolons"]),
    "a workbook": (b"PK\x03\x04", ["targets=mine.csv can't be read: it is a zipped file such as .xlsx or .ods"]),
}
CASES |= {
    f"survey with a target table with {name}": Case(
        INSTRUMENT, ["s.yaml: ", *says], {"s.yaml": TOY.replace("hofstede.csv", "mine.csv"), "mine.csv": text}
    )
    for name, (text, says) in PLACES.items()
}
CASES |= {
    f"survey with targets of {name}": Case(
        INSTRUMENT, [], {"s.yaml": TOY.replace("hofstede.csv", "mine.csv"), "mine.csv": text}
    )
    for name, text in TARGETS.items()
}
INLINE = {
    "a list": "[1, 2]",
    "no vintages": "{}",
    "a vintage that is a list": "{v1: [us]}",
    "no country": "{v1: {US: {PDI: 3, IDV: 4}}}",
    "a code that is no": "{v1: {no: {country: Norway, PDI: 3, IDV: 4}}}",
    "an unknown dimension": "{v1: {US: {country: A, PDI: 3, XYZ: 4}}}",
    "a score that is a text": "{v1: {US: {country: A, PDI: high, IDV: 4}}}",
    "a score that is NaN": "{v1: {US: {country: A, PDI: .nan, IDV: 4}}}",
    "a score with an underscore": "{v1: {US: {country: A, PDI: 1_0, IDV: 4}}}",
    "a score that is a time": "{v1: {US: {country: A, PDI: 1:30, IDV: 4}}}",
    "a score in full-width digits": "{v1: {US: {country: A, PDI: \uff13, IDV: 4}}}",
    "a score that is yes": "{v1: {US: {country: A, PDI: yes, IDV: 4}}}",
    "a country that is no": "{v1: {US: {country: no, PDI: 3, IDV: 4}}}",
    "an estimate that is a text": "{v1: {US: {country: A, PDI: 3, IDV: 4, estimated: 'no'}}}",
    "a code twice": "{v1: {US: {country: A, PDI: 3, IDV: 4}, us: {country: A, PDI: 4, IDV: 4}}}",
}
CASES |= {
    f"survey with targets inside that are {name}": Case(
        INSTRUMENT,
        ["s.yaml", "targets"],
        {"s.yaml": TOY.replace("hofstede.csv", text).replace("insights_2021", "v1")},
    )
    for name, text in INLINE.items()
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, name):
    case = CASES[name]
    base = [o for o in short_run if name.startswith("survey") or not o.startswith("survey.instrument")]
    tiny = "too long for the model" in name or "a pole too few" in name  # only these get as far as the model
    base = [o for o in base if tiny or not o.startswith("model.name_or_path")]
    base += [] if tiny else ["model.name_or_path={here}/none"]
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, base)
    assert not (tmp_path / "pwned").exists()
