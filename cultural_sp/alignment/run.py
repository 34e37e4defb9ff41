"""The main job: align a frozen model to regions with an evolved soft prompt, and show what that is worth."""

from __future__ import annotations

from pathlib import Path

from cultural_sp.alignment.announcement import announcement
from cultural_sp.alignment.final_answers import answer_everything
from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.outputs import RunOutcome, save_results, save_solutions
from cultural_sp.alignment.searches import Searches
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.spaces import coordinate_labels
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.validity_check import check_validity
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.reporting.statements import weights_summary
from cultural_sp.reporting.tables import report
from cultural_sp.reporting.wandb_tracking.start_tracker import tracker_of
from cultural_sp.reporting.wandb_tracking.tracker import Tracker
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.result import Result
from cultural_sp.utils.signals import raise_if_stopped
from cultural_sp.utils.stopwatch import Stopwatch
from cultural_sp.utils.terminal import show


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
    folder = RunFolder(config)
    finished = folder.load_finished()
    if finished is not None:
        show(f"already finished with this config\n{report(finished, config.readout.kind)}")
        return finished, folder.path
    inputs = RunInputs.from_config(config)
    cache = ModelCache() if cache is None else cache
    with folder.lock(), tracker_of(config.tracker, folder.path) as tracker:
        try:
            return _run(folder, inputs, cache, workers or WorkerGroup(), tracker), folder.path
        except BaseException:  # a later run must not trust what this one left in the cache
            cache.clear()
            raise


def _run(
    folder: RunFolder, inputs: RunInputs, cache: ModelCache, workers: WorkerGroup, tracker: Tracker
) -> list[Result]:
    config, stopwatch = folder.config, Stopwatch()

    # 1. The frozen model, the search space and the fitness function.
    workers.start()
    with stopwatch("load"):
        setup = Setup.build(config, inputs, cache)
    raise_if_stopped()  # before anything is written
    journal = folder.open_journal(setup.header, setup.measure)
    show(announcement(config, inputs, setup.lm, journal.evaluations))
    tracker.begin()
    journal.listener = tracker.evaluations

    # 2. Can this model take this survey?
    validity = None
    if config.validity:
        with stopwatch("validity"):
            validity = folder.cached_validity(lambda: check_validity(setup.evaluator))
        show(f"validity: {validity.sentence}")

    # 3. The baseline, then the search.
    searches = Searches(config, inputs, setup, journal, workers).run(stopwatch)
    save_solutions(config, setup, searches)

    # 4. Every method answers everything.
    answers = answer_everything(config, inputs, setup, searches, stopwatch)

    # 5. Results and files; result.json comes last.
    results = save_results(config, inputs, setup, RunOutcome(searches, answers, validity, stopwatch.seconds))
    tracker.finish()
    show(report(results, config.readout.kind))
    statements = coordinate_labels(config)
    if statements and len(results) == 1:
        show(weights_summary(statements, searches[results[0].region.code].aligned.z))
    return results
