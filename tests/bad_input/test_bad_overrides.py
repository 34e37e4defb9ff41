"""Overrides: every option of every group with values of the wrong type, and the command line itself."""

import dataclasses
import types
import typing

import pytest
from helpers.malformed import Case, ends_in_one_line
from helpers.runs import call
from omegaconf import OmegaConf

from cultural_sp.config.compose import OTHER_GROUPS, SCHEMAS, config_folder, group_options
from cultural_sp.config.overrides import align_config
from cultural_sp.config.schema import GROUPS, AlignConfig

pytestmark = pytest.mark.slow

WRONG = {
    int: {"abc": "a whole number", "1.5": "a whole number", "[1]": "a whole number"},
    float: {"abc": "a number", "nan": "number", "inf": "number"},
    bool: {"maybe": "true or false"},
    str: {"[a]": "a text"},
}


def _of_every_option():
    for group, schema in [*GROUPS.items(), ("", AlignConfig)]:
        hints = typing.get_type_hints(schema)
        for option in dataclasses.fields(schema):
            hint = hints[option.name]
            key = f"{group}.{option.name}" if group else option.name
            kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
            for kind, values in WRONG.items():
                if kind in kinds:
                    yield from ((key, value, allowed) for value, allowed in values.items())
            if kinds <= set(WRONG):
                yield key, "null", "not Optional"


CASES = {
    f"{key}={value}": Case([f"{key}={value}"], [f"{key}={value}", allowed])
    for key, value, allowed in _of_every_option()
} | {
    name: Case([name], says)
    for name, says in {
        "optimizer=bees": ["optimizer=bees is unknown", "cma, de, "],
        "experiment=none_such": ["experiment=none_such", "choose one of: control, "],
        "region=atlantis": ["region=atlantis", "ae, al"],
        "region=": ["region"],
        "region=Cina": ["region=Cina is unknown", "do you mean cn (China)"],
        "region=AND": ["region=AND is unknown", "choose one of"],
        "region.code=Suadi Arabia": ["region.code='Suadi Arabia'", "do you mean sa (Saudi Arabia)?"],
        "region=[us,sa]": [
            "region=[us,sa] chooses a list",
            "--multirun region=us,sa for a sweep",
            "region=joint 'region.codes=[us,sa]'",
        ],
        "optimizer=[de,cma]": ["optimizer=[de,cma] chooses a list", "--multirun optimizer=de,cma for a sweep"],
        "readout=[argmax]": ["readout=[argmax] chooses a list", "write readout=argmax"],
        "experiment=[smoke, paper]": ["chooses a list", "--multirun experiment=smoke,paper"],
        "model=Qwen/Qwen3-0.6B": ["model=Qwen/Qwen3-0.6B is unknown", " model.name_or_path=Qwen/Qwen3-0.6B"],
        "model=/models/a b.gguf": ["'model.name_or_path=/models/a b.gguf'", "qwen3_0.6b"],
        "model=./folder": [" model.name_or_path=./folder"],
        "model=gpt2": [" model.name_or_path=gpt2"],
        "survey=my/survey.yaml": ["survey=my/survey.yaml is unknown", " survey.instrument=my/survey.yaml"],
        "region=../../etc/passwd": ["region/../../etc=passwd", "choose one of"],
        "region.code=../../etc": ["region.code='../../etc'", "letters, digits"],
        "region.code=": ["region.code=''"],
        "region.vintage=1066": ["region.vintage='1066' is unknown", "insights_2021"],
        "region.vintage=../x": ["region.vintage='../x'", "letters, digits"],
        "region=de,us": ["region=de,us", "--multirun"],
        "+region=de": ["region has a value already", "leave the + out"],
        "~region": ["region"],
        "~optimizer.budget": ["optimizer.budget", "leave the option out"],
        "optimizer.budget=[1": ["optimizer.budget=[1 can't be parsed", "quote"],
        "optimizer.budget": ["optimizer.budget can't be parsed", "write key=value"],
        "optimizer.budget=1=2": ["optimizer.budget=1=2 can't be parsed"],
        "=3": ["write key=value"],
        "model@x=smollm2_135m": ["unknown key model@x"],
        "regoin=us": ["unknown key regoin; allowed: model, region", "; do you mean region?"],
        "budget=8": ["unknown key budget; allowed: model, region", "; do you mean optimizer.budget?"],
        "optimizer.bugdet=3": ["unknown key optimizer.bugdet; allowed in optimizer: kind"],
        "+model.extra=3": ["unknown key model.extra; allowed: name_or_path"],
        "+extra=3": ["unknown key extra; allowed: model"],
        "name=../../escape": ["name='../../escape'", "letters, digits"],
        "name=/abs": ["name='/abs'"],
        "name=..": ["name='..'"],
        "name=a/b": ["name='a/b'"],
        "name=''": ["name=''"],
        f"name={'x' * 300}": ["name='xxx", "at most 100 letters"],
        "name=${nope}": ["name can't be resolved", "'nope' not found"],
        "name=${oc.env:NO_SUCH_VARIABLE}": ["name can't be resolved", "NO_SUCH_VARIABLE"],
        "seed=-1": ["seed=-1 is out of range", "from 0"],
        "seed=4294967296": ["seed=4294967296 is out of range"],
        "seed=99999999999999999999999": ["seed=99999999999999999999999"],
        "optimizer.population=3": ["optimizer.population=3", "at least 4"],
        "optimizer.budget=0": ["optimizer.budget=0", "at least 1"],
        "optimizer.max_failed_share=1.1": ["optimizer.max_failed_share=1.1", "from 0 to 1"],
        "optimizer.warm_start={here}/no": ["optimizer.warm_start=", "is no folder"],
        "optimizer.warm_start=[]": ["optimizer.warm_start=[]"],
        "soft_prompt.n_tokens=0": ["soft_prompt.n_tokens=0", "from 1 to 1000"],
        "soft_prompt.n_tokens=100000": ["soft_prompt.n_tokens=100000", "from 1 to 1000"],
        "soft_prompt.dim=0": ["soft_prompt.dim=0"],
        "soft_prompt.scale=0": ["soft_prompt.scale=0", "above 0"],
        "soft_prompt.placement=middle": ["soft_prompt.placement='middle'", "prefix, system, user"],
        "soft_prompt.space=moon": ["soft_prompt.space='moon'", "projection, full"],
        "soft_prompt.init=magic": ["soft_prompt.init='magic'", "sampled_vocab"],
        "survey.tune_wordings=[0,-7]": ["survey.tune_wordings=[0, -7]", "different numbers"],
        "survey.tune_wordings=[0,0]": ["survey.tune_wordings=[0, 0]", "different numbers"],
        "survey.tune_wordings=[-1]": ["survey.tune_wordings=[-1]"],
        "survey.tune_wordings=[x]": ["survey.tune_wordings"],
        "survey.instrument=vsm31": ["survey.instrument='vsm31' is unknown", "vsm13"],
        "survey.instrument=../vsm13": ["survey.instrument='../vsm13' is unknown"],
        "survey.scoring=vibes": ["survey.scoring='vibes'", "number, label"],
        "readout.temperature=-0.1": ["readout.temperature=-0.1", "at least 0"],
        "objective.kind=l3": ["objective.kind='l3'", "l1, squared"],
        "knowledge.kind=trivia": ["knowledge.kind='trivia'", "none, own, culturalbench"],
        "knowledge.countries=[Peru]": ["knowledge.countries=['Peru']", "knowledge=own"],
        "tracker.mode=loud": ["tracker.mode='loud'", "offline, online, disabled"],
        "tracker.project=../x": ["tracker.project='../x'"],
        "region.codes=[sa,us]": ["region.codes=['sa', 'us']", "region=joint"],
        "model.dtype=int4": ["model.dtype='int4'", "float32, bfloat16, float16"],
        "model.device=abacus": ["model.device='abacus'"],
        "model.device=cuda:99": ["model.device=cuda:99", "model.device=auto or cpu"],
        "model.name_or_path=''": ["model.name_or_path is empty"],
        "--nonsense": ["--nonsense", "key=value"],
        "-x": ["-x"],
        "--config-name=nope": ["nope"],
        "--config-dir=/no/such": ["/no/such"],
        "--config-path=/no/such": ["/no/such"],
        "--cfg=all_of_it": ["all_of_it"],
        "hydra.run.dir=/proc/none": ["/proc/none", "give access there"],
        "hydra/launcher=rocket": ["hydra/launcher=rocket is unknown", "parallel"],
    }.items()
}
CASES |= {
    "joint twice": Case(["region=joint", "region.codes=[sa,SA]"], ["region.codes names sa more than once"]),
    "joint of nothing": Case(["region=joint", "region.codes=[]"], ["region.codes=[] is not allowed", "[sa,us]"]),
    "joint of two names": Case(
        ["region=joint", "region.codes=[USA,United States]"], ["region.codes names us more than once"]
    ),
    "a sweep of lists": Case(["--multirun", "region=choice([us,sa],cn)"], ["region=us,sa for a sweep"]),
    "a sweep of hub ids": Case(["--multirun", "model=a/b,c/d"], [" model.name_or_path=a/b"]),
    "an export of a list": Case(["region=[us,sa]", "output=x"], ["region=us,sa"], entry="export"),
    "a study of a list": Case(["+arms.x=['survey=[vsm13,vsm13_cat]']"], ["survey=vsm13,vsm13_cat"], entry="study"),
    "the factors of a hub id": Case(
        ["survey=vsm13", "model=a/b"], ["model=llama3.2_1b_instruct model.name_or_path=a/b"], entry="factor-analysis"
    ),
    "a key of no option": Case(
        ["hydra.verbose=false", "survey=vsm13", "model.dtype=bfloat16"],
        ["give model=OPTION too"],
        entry="factor-analysis",
    ),
    "joint of one unknown": Case(["region=joint", "region.codes=[sa,zz]"], ["region.codes='zz'"]),
    "joint of numbers": Case(["region=joint", "region.codes=[1,2]"], ["region.codes=[1, 2]"]),
    "poles without pairs": Case(
        ["soft_prompt=poles", "soft_prompt.n_tokens=7"], ["soft_prompt.n_tokens=7", "a multiple of 18"]
    ),
    "report of nothing": Case(["runs={here}/none"], ["runs=", "is no folder"], entry="report"),
    "report of an empty folder": Case(["runs={here}"], ["holds no finished run"], entry="report"),
    "report of a typo": Case(["rums=x"], ["unknown key rums; allowed: runs, output"], entry="report"),
    "benchmark of another name": Case(["name=../up"], ["name='../up'"], entry="bench"),
    "benchmark without rounds": Case(["rounds=0"], ["rounds=0", "at least 1"], entry="bench"),
    "benchmark of labels": Case(["survey=vsm13"], ["survey.scoring=label", "vsm13_number"], entry="bench"),
    "benchmark of a flat model": Case(
        ["geometry=tiny", "geometry.layers=0"], ["geometry.layers=0", "at least 1"], entry="bench"
    ),
    "benchmark of odd heads": Case(["geometry=tiny", "geometry.heads=3"], ["geometry.heads=3"], entry="bench"),
    "study of another name": Case(["name=../up"], ["name='../up'"], entry="study"),
    "study of no arm": Case(["chosen=none"], ["chosen=none", "choose one of"], entry="study"),
    "study with a bad arm": Case(["+arms.x=['optimizer=bees']"], ["optimizer=bees is unknown"], entry="study"),
    "training of another name": Case(["name=../up"], ["name='../up'"], entry="positive-control"),
    "training without steps": Case(["steps=0"], ["steps=0"], entry="positive-control"),
    "training at no rate": Case(["learning_rate=nan"], ["learning_rate=nan", "above 0"], entry="positive-control"),
    "validity of a typo": Case(["model.nam=x"], ["unknown key model.nam"], entry="validity"),
}


def _below_groups_without_an_option():
    """Every key of every group of which a program has none unless it is told to."""
    for program, schema in SCHEMAS.items():
        chosen = {
            group
            for entry in OmegaConf.load(config_folder() / f"{program}.yaml").defaults
            if not isinstance(entry, str)
            for group, option in entry.items()
            if option is not None
        }
        for group, hint in typing.get_type_hints(schema).items():
            kinds = typing.get_args(hint)
            if types.NoneType in kinds and group in (GROUPS | OTHER_GROUPS).keys() - chosen:
                for option in dataclasses.fields((GROUPS | OTHER_GROUPS)[group]):
                    yield program.replace("_", "-"), group, f"{group}.{option.name}=3"


BELOW = list(_below_groups_without_an_option())
SURVEYS = ", ".join(group_options("survey"))
BELOW += [("factor-analysis", "survey", override) for override in (
    "+survey.instrument=x", "++survey.instrument=x", "~survey.instrument", "survey.a.b=3", "survey={instrument:x}"
)]  # fmt: skip
CASES |= {
    f"{program} {override}": Case(
        [override],
        [
            f"{override} changes the {group}, but none is chosen; give {group}=OPTION too",
            ", ".join(group_options(group)),
        ],
        entry=program,
    )
    for program, group, override in BELOW
}
CASES |= {
    "a key of the group without an option": Case(
        ["survey=vsm13", "respondents.number=3", "model.dtype=float32"],
        ["model.dtype=float32"],
        entry="factor-analysis",
    ),
    "a deleted group": Case(["~survey", "survey.instrument=x"], ["survey.instrument=x"], entry="factor-analysis"),
    "survey=null": Case(["survey=null"], ["survey=null", SURVEYS, "leave survey= out"], entry="factor-analysis"),
    "optimizer=null": Case(["optimizer=null", "optimizer.budget=3"], ["optimizer=null", "cma, de"]),
}


def test_the_python_interface_refuses_null_groups_too():
    with pytest.raises(ValueError, match="^optimizer=null is not allowed; choose one of: cma, de, [^\n]+$"):
        align_config(["optimizer=null"])


def test_a_swept_key_below_null_is_one_line(monkeypatch, capsys, tmp_path):
    overrides = ["--multirun", "survey.instrument=a,b", f"output_dir={tmp_path}"]
    code, _, err = call(monkeypatch, capsys, *overrides, entry="factor-analysis")
    assert code == 2
    assert err.startswith("error: survey.instrument=a,b changes the survey, but none is chosen; ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_one_line(monkeypatch, capsys, tmp_path, name):
    case = CASES[name]
    model_matters = case.entry in ("align", "validity") and "model.name_or_path" not in name
    base = ["model.name_or_path={here}/none"] if model_matters else []
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, base)
