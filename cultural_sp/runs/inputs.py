"""Survey, regions and wordings of a run, read from its config. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

from cultural_sp.config.groups import JOINT
from cultural_sp.config.schema import AlignConfig
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.questionnaire import apply_questionnaire
from cultural_sp.survey.regions import Region, known_vintage, load_region, region_code, region_codes


def survey_from_config(config: AlignConfig) -> Survey:
    """Return the configured instrument, with the personas' last sentences.

    If they are set, ``objective.constant`` replaces C, and the texts of ``survey.questionnaire`` the first wording.

    Raises:
        ValueError: if the instrument or the questionnaire can't be read.
    """
    survey = replace(
        load_survey(config.survey.instrument),
        persona_instruction=config.survey.persona_instruction,
        pole_instruction=config.survey.pole_instruction,
    )
    if config.objective.constant is not None:
        survey = replace(survey, scoring=survey.scoring.with_constant(config.objective.constant))
    return apply_questionnaire(survey, config.survey.questionnaire) if config.survey.questionnaire else survey


def regions_from_config(config: AlignConfig, survey: Survey) -> tuple[Region, ...]:
    """Return the regions to align to: one, or those of a joint run.

    Raises:
        ValueError: if a code or the vintage is unknown, or if a region has no score in that vintage.
    """
    vintage = config.region.vintage
    if config.region.codes is None:
        return (load_region(survey, config.region.code, vintage),)
    return tuple(load_region(survey, code, vintage, "region.codes") for code in joint_codes(config, survey))


def with_region_codes(config: AlignConfig) -> AlignConfig:
    """Return the config with the codes of its regions instead of their names, so that the same run has the same folder.

    What the survey's targets don't know stays as it is: programs that need the region refuse it.

    Raises:
        ValueError: if a joint run names a region twice.
    """
    region = config.region
    codes = region.codes if isinstance(region.codes, list) else []
    try:
        code, *codes = (_code(config, name) for name in (region.code, *codes))
    except ValueError:  # the survey can't be read, or isn't needed
        return config
    changed = replace(region, code=code, codes=codes if isinstance(region.codes, list) else region.codes)
    return replace(config, region=changed)


def _code(config: AlignConfig, name: str) -> str:
    """Return the code of a region; a code of two letters needs no survey."""
    known = name == JOINT or len(name) == 2
    return name.lower() if known else region_code(load_survey(config.survey.instrument), name) or name


def joint_codes(config: AlignConfig, survey: Survey | None = None) -> list[str]:
    """Return the lower-case codes of the regions of a joint run, in order.

    Args:
        config: config with ``region.codes``.
        survey: its survey; None to load it if ``region.codes`` is ``all``.

    Raises:
        ValueError: if ``all`` matches no region.
    """
    if config.region.codes != "all":
        return [code.lower() for code in config.region.codes]
    survey = survey_from_config(config) if survey is None else survey
    vintage = known_vintage(survey, config.region.vintage)
    codes = region_codes(survey, vintage)
    if not codes:
        raise ValueError(
            f"region.codes=all finds no region with every score in region.vintage={vintage}; choose another one"
        )
    return codes


def tuned_wordings(config: AlignConfig, survey: Survey) -> dict[str, int]:
    """Return name -> place of the wordings that the search sees: ``tuned``, ``tuned_2``, ...

    Raises:
        ValueError: if the survey lacks one of them.
    """
    indices = config.survey.tune_wordings
    missing = [i for i in indices if i >= survey.n_wordings]
    if missing:
        raise ValueError(
            f"survey.tune_wordings={indices} names wording {missing[0]}; {survey.name} has the wordings 0 to "
            f"{survey.n_wordings - 1}"
        )
    return {f"tuned_{place}" if place > 1 else "tuned": i for place, i in enumerate(indices, 1)}


def reported_wordings(config: AlignConfig, survey: Survey) -> dict[str, int]:
    """Return name -> place of the wordings of final scores: the tuned ones, ``selected_8``, ... and ``held_out_12``, ...

    Those are the survey's wordings to select and to test on that the search doesn't see. Wordings to tune on that it doesn't see
    aren't asked, unless the survey gives its wordings no roles. Raises as :func:`tuned_wordings`.
    """
    tuned = tuned_wordings(config, survey)
    selected = survey.roles["select"]
    tested = survey.roles["test"] if selected else range(survey.n_wordings)
    others = [*(("selected", place) for place in selected), *(("held_out", place) for place in tested)]
    return tuned | {f"{name}_{place}": place for name, place in others if place not in tuned.values()}
