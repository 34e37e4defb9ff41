"""The jobs of the programs about runs: each does what its config says and prints where the results lie.

A job imports what it needs when it runs. So torch loads only if there is something to compute, and ``PROCESS_CACHE`` is the
cache of the process in which the job runs, even if a launcher sent it there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cultural_sp.cli.sweep import JobResult
from cultural_sp.cli.words import quoted, split_words
from cultural_sp.config.compose import group_options
from cultural_sp.config.schema import AlignConfig
from cultural_sp.utils.processes import first_process, several_processes
from cultural_sp.utils.terminal import show

if TYPE_CHECKING:
    from cultural_sp.config.inference import ReportConfig
    from cultural_sp.config.studies import ValidityConfig


def align_job(config: AlignConfig) -> JobResult:
    """Run an alignment unless it is finished; a single run, outside of a sweep, also gets its report."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from cultural_sp.reporting.tables import report
    from cultural_sp.runs.folder import RunFolder

    result = None if several_processes() else RunFolder(config).load_finished()
    finished_before = result is not None
    if result is None:
        run_alignment(config)
    else:
        show(f"already finished with this config\n{report(result, config.readout.kind)}")
    if first_process():
        if HydraConfig.get().mode == RunMode.RUN:  # a sweep ends with one report on all of its runs
            _report(RunFolder(config).path, finished_before=finished_before)
        show(f"run folder: {RunFolder(config).path}")
    return JobResult(RunFolder(config).path, finished_before)


def run_folder(config: AlignConfig) -> Path:
    """Return the folder of a run."""
    from cultural_sp.runs.folder import RunFolder

    return RunFolder(config).path


def run_alignment(config: AlignConfig) -> None:
    """Do this process's part of a run. The first process leads even if there is nothing to do: the others wait for it."""
    from cultural_sp.alignment.run import align
    from cultural_sp.alignment.serving import serve_searches
    from cultural_sp.alignment.workers import join
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    workers = join(config.model)
    if workers.rank:
        serve_searches(config, PROCESS_CACHE, workers)
        return
    with workers.leader():
        align(config, PROCESS_CACHE, workers)


def _report(folder: Path, *, finished_before: bool) -> None:
    """Write the report of a run, unless the run was finished before and has one."""
    from cultural_sp.reporting.html_report.build import FOLDER, PAGE, write_report

    page = folder / FOLDER / PAGE
    exists = finished_before and page.is_file()
    show(f"report: {page if exists else write_report([folder], folder / FOLDER)}")


def validity_job(config: ValidityConfig) -> None:
    """Check whether a model can take a survey."""
    from cultural_sp.evaluation.validity_check import run_validity_check
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    run_validity_check(config, PROCESS_CACHE)


def check_model_job(config: AlignConfig) -> None:
    """Load a model and print what it was checked for."""
    from cultural_sp.lm.load import load_model
    from cultural_sp.lm.model_check import summary

    show(summary(load_model(config.model)))


def model_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a plain word as the model: an option of the group, or else a hub id or a path."""
    overrides, words = split_words(arguments)
    options = group_options("model")
    models = [f"model={word}" if word in options else f"model.name_or_path={quoted(word)}" for word in words]
    return [*models, *overrides]


def check_survey() -> None:
    """Check a survey file, or a shipped survey."""
    from cultural_sp.survey.instrument import available, load_survey
    from cultural_sp.survey.lint import overview

    parser = argparse.ArgumentParser(description="Check a survey file.")
    parser.add_argument("survey", help=f"a .yaml file (docs/surveys.md), or one of: {', '.join(available())}")
    show(overview(load_survey(parser.parse_args().survey)))


def report_job(config: ReportConfig) -> None:
    """Write one page about finished runs."""
    from cultural_sp.reporting.html_report.build import report

    show(f"report: {report(config)}")
