"""The main job: align a frozen model to regions with an evolved soft prompt, and show what that is worth."""

from __future__ import annotations

from pathlib import Path

from cultural_sp.alignment.announcement import announcement
from cultural_sp.alignment.final_answers import KNOWLEDGE, SCORES, answer_everything
from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.methods import RegionSearches
from cultural_sp.alignment.outputs import result_provenance, save_result, save_solution
from cultural_sp.alignment.searches import Searches
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.spaces import axes
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.validity_check import check_validity
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.reporting.statements import weights_summary
from cultural_sp.reporting.tables import report
from cultural_sp.reporting.wandb_tracking.tracker import Tracker, tracker_of
from cultural_sp.runs.checkpoint import cached_validity
from cultural_sp.runs.folder import (
    clear_run_folder,
    load_finished,
    lock_run_folder,
    region_folders,
    run_folder,
    write_config,
)
from cultural_sp.runs.result import Result
from cultural_sp.search.journal import JOURNAL, Journal
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.signals import stop_if_asked
from cultural_sp.utils.stopwatch import Stopwatch

VALIDITY = "validity.json"


def align(
    config: AlignConfig, cache: ModelCache | None = None, workers: WorkerGroup | None = None
) -> tuple[list[Result], Path]:
    """Run one alignment, or resume it; a finished run is only read.

    Everything that can be wrong with the input is checked before anything is written.

    Args:
        config: the run.
        cache: the model and what other runs of this process computed with it; None if there are no other runs.
        workers: the processes that score candidates, led by this one; None for this process alone.

    Returns:
        One result per region, and the run folder.

    Raises:
        ValueError: for bad input, for a run folder that belongs to another run or is in use, if the disk refuses a write, and
            if too many evaluations fail.
    """
    finished = load_finished(config)
    if finished is not None:
        print(f"already finished with this config\n{report(finished, config.readout.kind)}")
        return finished, run_folder(config)
    inputs = RunInputs.from_config(config)
    cache = ModelCache() if cache is None else cache
    with lock_run_folder(config) as folder, tracker_of(config.tracker, folder) as tracker:
        try:
            return _run(config, inputs, cache, workers or WorkerGroup(), tracker), folder
        except BaseException:  # a later run must not trust what this one left in the cache
            cache.clear()
            raise


def _run(
    config: AlignConfig, inputs: RunInputs, cache: ModelCache, workers: WorkerGroup, tracker: Tracker
) -> list[Result]:
    folder, folders, stopwatch = run_folder(config), region_folders(config), Stopwatch()

    # 1. The frozen model, the search space and the fitness function.
    workers.start()
    with stopwatch("load"):
        setup = Setup.build(config, inputs, cache)
    stop_if_asked()  # before anything is written
    journal = _open_journal(config, folder, setup)
    print(announcement(config, inputs, setup.lm, journal.evaluations), flush=True)
    tracker.begin()
    journal.listener = tracker.evaluations

    # 2. Can this model take this survey?
    validity = None
    if config.validity:
        with stopwatch("validity"):
            validity = cached_validity(folder / VALIDITY, lambda: check_validity(setup.evaluator))
        print(f"validity: {validity.sentence}", flush=True)

    # 3. The baseline, then the search.
    searches = Searches(config, inputs, setup, journal, workers)
    with stopwatch("random_search"):
        random_search = searches.random_search()
    with stopwatch("search"):
        aligned = searches.aligned()
    journal.end()
    best = {code: RegionSearches(random_search[code], aligned[code]) for code in folders}
    for code, region_folder in folders.items():
        save_solution(region_folder, best[code].aligned.z, setup, config)

    # 4. Every method answers everything.
    answers = answer_everything(config, inputs, setup, best, stopwatch)

    # 5. Results and files; result.json comes last.
    provenance = result_provenance(config, inputs.survey, setup.lm, setup.weights_hash)
    assert provenance["weights_hash_after"] == setup.weights_hash, "a weight of the frozen model changed"
    results = []
    for region in inputs.regions:
        code = region.code
        result = Result.of(
            config,
            inputs.survey,
            region,
            evaluations=config.optimizer.budget,
            optimizer=config.optimizer.kind,
            scores=answers.scores[code],
            validity=validity,
            knowledge=answers.knowledge.get(code),
            open_answers=answers.open_answers.get(code, []),
            provenance=provenance,
            seconds=stopwatch.seconds,
            joint=[] if config.region.codes is None else list(folders),
            warm_start=setup.warm_start_record(best[code].aligned.offered),
        )
        save_result(folders[code], result, best[code], config, inputs.survey)
        results.append(result)
    tracker.finish()
    print(report(results, config.readout.kind))
    statements = axes(config)
    if statements and len(results) == 1:
        print(weights_summary(statements, next(iter(aligned.values())).z))
    return results


def _open_journal(config: AlignConfig, folder: Path, setup: Setup) -> Journal:
    """The run's journal, new or resumed, in a run folder that holds nothing of another run."""
    if config.overwrite:
        clear_run_folder(folder)
    if not (folder / JOURNAL).exists():  # an interrupted overwrite left responses of another run
        with disk_errors(folder):
            for name in (SCORES, VALIDITY, KNOWLEDGE):
                (folder / name).unlink(missing_ok=True)
    journal = Journal(folder / JOURNAL, setup.header, setup.measure)
    write_config(config)
    return journal
