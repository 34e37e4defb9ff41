"""The jobs of the programs: each runs what its config says and prints where the results lie.

A job imports what it needs when it runs. So torch loads only if there is something to compute, and ``PROCESS_CACHE`` is the
cache of the process in which the job runs, even if a launcher sent it there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cultural_sp.cli.sweep import JobResult
from cultural_sp.config.error_messages import exit_on_bad_input
from cultural_sp.config.schema import AlignConfig
from cultural_sp.utils.processes import first_process, several_processes

if TYPE_CHECKING:
    from cultural_sp.config.inference import AskConfig, ExportConfig, ReportConfig, SideEffectsConfig
    from cultural_sp.config.studies import BenchmarkConfig, ControlConfig, FactorConfig, PaperConfig, StudyConfig


def align_job(config: AlignConfig) -> JobResult:
    """Run an alignment unless it is finished; a single run, outside of a sweep, also gets its report."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from cultural_sp.reporting.tables import report
    from cultural_sp.runs.folder import RunFolder

    result = None if several_processes() else RunFolder(config).load_finished()
    finished_before = result is not None
    if result is None:
        _align(config)
    else:
        print(f"already finished with this config\n{report(result, config.readout.kind)}")
    if first_process():
        if HydraConfig.get().mode == RunMode.RUN:  # a sweep ends with one report on all of its runs
            _report(RunFolder(config).path, finished_before=finished_before)
        print(f"run folder: {RunFolder(config).path}", flush=True)
    return JobResult(RunFolder(config).path, finished_before)


def _align(config: AlignConfig) -> None:
    """Do this process's part of a run. The first process leads even if there is nothing to do: the others wait for it."""
    from cultural_sp.alignment.run import align
    from cultural_sp.alignment.searches import serve_searches
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
    print(f"report: {page if exists else write_report([folder], folder / FOLDER)}", flush=True)


def validity_job(config: AlignConfig) -> None:
    """Check whether a model can take a survey."""
    from cultural_sp.evaluation.validity_check import run_validity_check
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    run_validity_check(config, PROCESS_CACHE)


def check_survey() -> None:
    """Check a survey file, or a shipped survey."""
    from cultural_sp.survey.instrument import available, load_survey
    from cultural_sp.survey.lint import overview

    parser = argparse.ArgumentParser(description="Check a survey file.")
    parser.add_argument("survey", help=f"a .yaml file (docs/surveys.md), or one of: {', '.join(available())}")
    print(overview(load_survey(parser.parse_args().survey)))


def evaluate_job(config: AlignConfig) -> None:
    """Score a soft prompt."""
    from cultural_sp.inference.evaluate import evaluate
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    for file in evaluate(config, PROCESS_CACHE):
        print(f"scores: {file}", flush=True)


def ask_job(config: AskConfig) -> None:
    """Ask the plain and the aligned model open questions."""
    from cultural_sp.inference.ask import ask
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    ask(config, PROCESS_CACHE)


def question_last(arguments: Sequence[str]) -> list[str]:
    """Return the flags and overrides among the arguments, and all other words together as one override ``question=...``."""
    from hydra._internal.utils import get_args_parser

    with_value = [
        name for action in get_args_parser()._actions if action.nargs is None for name in action.option_strings
    ]
    overrides: list[str] = []
    words: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        key, is_override, _ = argument.partition("=")
        is_flag = argument.startswith(("-", "~")) or before in with_value
        (overrides if is_flag or (is_override and " " not in key) else words).append(argument)
    if words:
        text = " ".join(words).replace("\\", "\\\\").replace("'", "\\'")
        overrides.append(f"question='{text}'")
    return overrides


def side_effects_job(config: SideEffectsConfig) -> None:
    """Measure the side effects of a soft prompt."""
    from cultural_sp.inference.side_effects import side_effects
    from cultural_sp.lm.model_cache import PROCESS_CACHE

    print(f"table: {side_effects(config, PROCESS_CACHE)}", flush=True)


def export_job(config: ExportConfig) -> None:
    """Write a model, soft prompt or survey in the format of another tool."""
    from cultural_sp.inference.export.run import export

    print(f"export: {export(config)}", flush=True)


def report_job(config: ReportConfig) -> None:
    """Write one page about finished runs."""
    from cultural_sp.reporting.html_report.build import report

    print(f"report: {report(config)}", flush=True)


def reproduce_job(config: PaperConfig) -> None:
    """Reproduce the paper, from the plan to the verdicts on its claims."""
    from cultural_sp.studies.paper.run import reproduce

    folder = reproduce(config, _align, leads=first_process())
    if first_process() and not config.dry_run:
        print(f"paper folder: {folder}", flush=True)


def write_artefact(name: str) -> None:
    """Write one artefact of a reproduction anew, from the runs in the folder that the command line names."""
    from cultural_sp.studies.paper.artefacts import ARTEFACTS, Runs

    parser = argparse.ArgumentParser(description=f"Write {name} from finished runs.")
    about = "the folder of `cultural-sp reproduce`, such as outputs/paper/embedded"
    parser.add_argument("folder", type=Path, help=about)
    folder = parser.parse_args().folder
    with exit_on_bad_input():
        ARTEFACTS[name](Runs.of(folder), folder)
    print(f"{name}: {folder}")


def study_job(config: StudyConfig) -> None:
    """Compare search spaces and optimizers on a grid of runs."""
    from cultural_sp.studies.search_study.run import study

    print(f"study folder: {study(config)}", flush=True)


def bench_job(config: BenchmarkConfig) -> None:
    """Measure the cost of an evaluation on this machine."""
    from cultural_sp.studies.benchmark.run import benchmark

    print(f"benchmark folder: {benchmark(config)}", flush=True)


def factor_analysis_job(config: FactorConfig) -> None:
    """Test whether answers have the structure that the survey declares."""
    from cultural_sp.lm.model_cache import PROCESS_CACHE
    from cultural_sp.studies.factor_analysis.run import factor_analysis

    print(f"factor analysis folder: {factor_analysis(config, PROCESS_CACHE)}", flush=True)


def positive_control_job(config: ControlConfig) -> None:
    """Train a model on which the search for an alignment must succeed."""
    from cultural_sp.studies.positive_control.run import positive_control

    print(f"adapter: {positive_control(config)}", flush=True)


def scaling() -> None:
    """Measure the speed-up by a second process; the arguments are overrides of ``cultural-sp align``."""
    from cultural_sp.studies.benchmark.scaling import scaling

    print(scaling(sys.argv[1:]))
