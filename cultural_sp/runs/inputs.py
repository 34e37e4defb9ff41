"""The survey and the regions that a config names. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

from cultural_sp.config.schema import AlignConfig
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.questionnaire import apply_questionnaire
from cultural_sp.survey.regions import Region, known_vintage, load_region, region_codes


def survey_from_config(config: AlignConfig) -> Survey:
    """The configured instrument, with the objective's C and a licensed questionnaire's texts if they are given."""
    survey = load_survey(config.survey.instrument)
    if config.objective.constant is not None:
        survey = replace(survey, scoring=survey.scoring.with_constant(config.objective.constant))
    return apply_questionnaire(survey, config.survey.questionnaire) if config.survey.questionnaire else survey


def regions_from_config(config: AlignConfig, survey: Survey) -> tuple[Region, ...]:
    """The regions to align to: one, or those of a joint run.

    Raises:
        ValueError: in one line, for an unknown code or vintage or a region without any score in it.
    """
    given, vintage = config.region, config.region.vintage
    if given.codes is None:
        return (load_region(survey, given.code, vintage),)
    return tuple(load_region(survey, code, vintage, "region.codes") for code in joint_codes(config, survey))


def joint_codes(config: AlignConfig, survey: Survey | None = None) -> list[str]:
    """Lower-case codes of the regions of a joint run, in order.

    Args:
        config: of a run with ``region.codes``.
        survey: its survey; opened if it is needed and not given.

    Raises:
        ValueError: in one line, if ``all`` finds none.
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
    """Name -> index of the wordings that the search sees: ``tuned``, ``tuned_2``, ...

    Raises:
        ValueError: in one line, if the survey lacks one of them.
    """
    given = config.survey.tune_wordings
    lacking = [i for i in given if i >= survey.n_wordings]
    if lacking:
        raise ValueError(
            f"survey.tune_wordings={given} names wording {lacking[0]}; {survey.name} has the wordings 0 to "
            f"{survey.n_wordings - 1}"
        )
    return {f"tuned_{place}" if place > 1 else "tuned": i for place, i in enumerate(given, 1)}
