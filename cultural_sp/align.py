"""The main job: align a frozen model to a region by an optimized soft prompt, and show what that is worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.analysis.figures import save_figures
from cultural_sp.analysis.tables import summary
from cultural_sp.analysis.weights import weights_csv, weights_summary
from cultural_sp.baselines import persona
from cultural_sp.checkpoint import KeptScores, kept_validity
from cultural_sp.config import AlignConfig
from cultural_sp.distributed import Team
from cultural_sp.examine import Examiner
from cultural_sp.files import using, write_text
from cultural_sp.interrupt import stop_if_asked
from cultural_sp.lm.load import LanguageModel, load_model, weights_hash
from cultural_sp.lm.soft_prompt import initial_prompt, save_soft_prompt
from cultural_sp.provenance import config_hash, provenance, shaping_versions
from cultural_sp.results import Result
from cultural_sp.run_folder import RESULT, empty, hold, run_folder, skip_finished, write_config
from cultural_sp.search.journal import Journal, fingerprint, jsonable
from cultural_sp.search.loop import Evaluation, SearchResult, progress, run_search
from cultural_sp.search.optimizers import Optimizer, make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.space import Space
from cultural_sp.shared import Shared
from cultural_sp.spaces import open_statements, search_space
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.questionnaire import apply_questionnaire
from cultural_sp.survey.regions import Region, load_region
from cultural_sp.survey.statements import Statement, statements_hash
from cultural_sp.tracking.tracker import Tracker, tracker_of

Array = NDArray[np.float64]


def align(config: AlignConfig, shared: Shared | None = None, team: Team | None = None) -> tuple[Result, Path]:
    """Run one alignment and return its result and its run folder; a finished run is only read, an unfinished one goes on.

    Everything that can be wrong with the input is checked before anything is written.

    Args:
        config: the run.
        shared: the model and what else this process's other runs have in common with this one; None if there are none.
        team: the processes that score candidates; this one leads them.

    Raises:
        ValueError: in one line, for bad input, for a run folder of another run or in another process's hands, and if the
            disk refuses a write or too many evaluations fail.
    """
    survey = open_survey(config)
    region = load_region(survey, config.region.code, config.region.vintage)
    statements = open_statements(config)
    finished = skip_finished(config)
    if finished is not None:
        return finished, run_folder(config)
    shared = Shared() if shared is None else shared
    with hold(config) as folder, tracker_of(config.tracker, folder) as tracker:
        try:
            return _run(config, survey, region, statements, folder, shared, team or Team(), tracker), folder
        except BaseException:  # whatever it was: the next run loads anew rather than trust what this one left
            shared.clear()
            raise


def _run(
    config: AlignConfig,
    survey: Survey,
    region: Region,
    statements: tuple[Statement, ...],
    folder: Path,
    shared: Shared,
    team: Team,
    tracker: Tracker,
) -> Result:
    clock: dict[str, float] = {}
    team.call()
    with _timed(clock, "load"):
        lm = shared.model(config.model, load_model)
        before = weights_hash(lm.model)
        start = initial_prompt(config.soft_prompt, lm, config.seed)
        space = search_space(config, lm, start)
        examiner = Examiner(lm, survey, region, config, shared)
        examiner.tuning()
        if config.validity:
            examiner.pole_personas()
    stop_if_asked()  # before anything is written
    if config.overwrite:
        empty(folder)
    journal_file, scores_file, validity_file = (
        folder / x for x in ("evaluations.jsonl", "scores.jsonl", "validity.json")
    )
    if not journal_file.exists():  # then an overwrite was stopped halfway, and what it left belongs to another run
        with using(folder):
            scores_file.unlink(missing_ok=True)
            validity_file.unlink(missing_ok=True)
    journal = Journal(
        journal_file, _header(config, survey, region, statements, lm, before, start), lambda: examiner.batch_size(start)
    )
    kept = KeptScores(scores_file)
    write_config(config)
    print(_announcement(config, survey, region, lm), flush=True)
    if journal.evaluations:
        print(f"going on: {journal.evaluations} of {2 * config.optimizer.budget} evaluations are there", flush=True)
    tracker.begin()
    journal.listener = tracker.evaluations

    with _timed(clock, "validity"):
        validity = kept_validity(validity_file, examiner.validity) if config.validity else None
    if validity is not None:
        print(f"validity: {validity.sentence}", flush=True)
    with _timed(clock, "random_search"):
        random_best = _search(
            config, "random_search", RandomSearch(config.optimizer, space.dim), space, examiner, journal, team
        )
    with _timed(clock, "search"):
        best = _search(config, "aligned", make_optimizer(config.optimizer, space.dim), space, examiner, journal, team)
    aligned = space.decode(best.z[None])[0]
    with using(folder / "soft_prompt"):
        save_soft_prompt(folder / "soft_prompt", aligned, lm, config.soft_prompt.placement)
    if statements:
        write_text(folder / "statements.csv", weights_csv(statements, best.z))

    methods: dict[str, dict[str, Any]] = {
        "naive": {},
        "persona": {"persona": persona(region)},
        "start": {"prompt": start},
        "random_search": {"prompt": space.decode(random_best.z[None])[0]},
        "aligned": {"prompt": aligned},
    }
    scores = examiner.midpoint_records()
    with _timed(clock, "scores"), progress("scores", len(methods)) as bar:
        for method, given in methods.items():
            scores += kept.records(method, partial(examiner.records, method, **given))
            bar.update()
    after = weights_hash(lm.model)
    assert after == before, "a weight of the frozen model changed"
    result = Result(
        name=config.name,
        region={
            "code": region.code,
            "country": region.country,
            "vintage": region.vintage,
            "estimated": region.estimated,
            "target": _target(survey, region),
        },
        model=config.model.name_or_path,
        seed=config.seed,
        evaluations=config.optimizer.budget,
        optimizer=config.optimizer.kind,
        scores=scores,
        validity=validity,
        provenance=provenance(
            config,
            survey_hash=survey.fingerprint(),
            chat_template_hash=lm.chat_template_hash,
            weights_hash_before=before,
            weights_hash_after=after,
        ),
        seconds={k: round(v, 1) for k, v in clock.items()},
    )
    with using(folder / "figures"):
        (folder / "figures").mkdir(exist_ok=True)
        save_figures(folder / "figures", result, random_best, best, config.readout.kind)
    result.save(folder / RESULT)
    tracker.finish()
    print(summary(result, config.readout.kind))
    if statements:
        print(weights_summary(statements, best.z))
    return result


def open_survey(config: AlignConfig) -> Survey:
    """The configured instrument, with a licensed questionnaire's texts if one is given."""
    survey = load_survey(config.survey.instrument)
    return apply_questionnaire(survey, config.survey.questionnaire) if config.survey.questionnaire else survey


def _header(
    config: AlignConfig,
    survey: Survey,
    region: Region,
    statements: tuple[Statement, ...],
    lm: LanguageModel,
    weights: str,
    start: NDArray[np.float32],
) -> dict[str, Any]:
    """What shapes the losses of a run, for its journal."""
    return {
        "config_hash": config_hash(config),
        "model": config.model.name_or_path,
        "weights_hash": weights,
        "survey_hash": survey.fingerprint(),
        "statements_hash": statements_hash(statements) if statements else None,
        "target": _target(survey, region),
        "initial_prompt_hash": fingerprint(start),
        "chat_template_hash": lm.chat_template_hash,
        "device": lm.embeddings.device.type,
        "versions": shaping_versions(),
    }


def _target(survey: Survey, region: Region) -> dict[str, float | None]:
    target: dict[str, float | None] = jsonable(dict(zip(survey.dimension_names, region.target, strict=True)))
    return target


def help_align(config: AlignConfig, shared: Shared, team: Team) -> None:
    """Score candidates for the process that leads the run of the same config."""

    def prepare() -> Callable[[Array], Evaluation]:
        survey = open_survey(config)
        region = load_region(survey, config.region.code, config.region.vintage)
        lm = shared.model(config.model, load_model)
        space = search_space(config, lm, initial_prompt(config.soft_prompt, lm, config.seed))
        return partial(_score, Examiner(lm, survey, region, config, shared), space)

    team.help(prepare)


def _score(examiner: Examiner, space: Space, z: Array) -> Evaluation:
    """Score one batch of candidates [N, d] in one forward pass."""
    survey = examiner.survey
    examiner.batching.fix(len(z))
    try:
        scored = examiner.fitness(space.decode(z))
    except FloatingPointError:  # the model's output isn't finite
        n, nan = len(z), np.nan
        return Evaluation(
            np.full(n, nan),
            np.full((n, len(survey.dimensions)), nan),
            np.full((n, len(survey.items)), nan),
            np.full(n, nan),
            np.full(n, nan),
        )
    if examiner.config.readout.kind == "generate":
        return scored
    # argmax and sample make an answer even of log-probabilities that are NaN.
    return replace(scored, loss=np.where(np.isfinite(scored.valid_mass), scored.loss, np.nan))


def _search(
    config: AlignConfig, name: str, optimizer: Optimizer, space: Space, examiner: Examiner, journal: Journal, team: Team
) -> SearchResult:
    size = journal.header["batch_size"]

    def evaluate(z: Array) -> Evaluation:
        batches = [z[first : first + size] for first in range(0, len(z), size)]
        return Evaluation.joined(team.score(partial(_score, examiner, space), batches))

    return run_search(
        name,
        optimizer,
        evaluate,
        budget=config.optimizer.budget,
        max_failed_share=config.optimizer.max_failed_share,
        dimension_names=examiner.survey.dimension_names,
        journal=journal,
        side_by_side=team.size,
    )


def _announcement(config: AlignConfig, survey: Survey, region: Region, lm: LanguageModel) -> str:
    known = [d for d, t in zip(survey.dimension_names, region.target, strict=True) if not np.isnan(t)]
    lines = [
        f"aligning {config.model.slug} ({lm.embeddings.device}, frozen) to {region.country} ({region.vintage}"
        f"{', estimated scores' if region.estimated else ''}) on {survey.title}"
    ]
    left_out = [d for d in survey.dimension_names if d not in known]
    if left_out:
        lines.append(f"no target for {', '.join(left_out)} in {region.vintage}: left out of the loss of every method")
    return "\n".join(lines)


@contextmanager
def _timed(clock: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    clock[name] = time.perf_counter() - started
