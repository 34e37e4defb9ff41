"""Command line entry points: which programs there are, and what each prints of what it made.

A job imports what it needs when it runs: torch loads only if there is something to do, and PROCESS is that of the process it
runs in, where a launcher would send a copy along.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from cultural_sp.cli.hydra_main import first_process, run_program, several_processes
from cultural_sp.cli.sweep import JobResult
from cultural_sp.config.error_messages import bad_input_ends
from cultural_sp.config.schema import AlignConfig
from cultural_sp.reporting.tables import report
from cultural_sp.runs.folder import load_finished, run_folder


def align_main() -> None:
    """``cultural-sp-align``: the main job."""

    def job(config: AlignConfig) -> JobResult:
        finished = None if several_processes() else load_finished(config)
        before = finished is not None
        if finished is None:
            _align(config)
        else:
            print(f"already finished with this config\n{report(finished, config.readout.kind)}")
        if first_process():
            if HydraConfig.get().mode == RunMode.RUN:  # a sweep ends with one report on all of its runs
                _report(run_folder(config), before=before)
            print(f"run folder: {run_folder(config)}", flush=True)
        return JobResult(run_folder(config), before)

    run_program("align", job, together=True, resumes=True)


def _align(config: AlignConfig) -> None:
    """This process's part in a run; the first leads even where there is nothing to do, as the others wait for its word."""
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


def _report(folder: Path, *, before: bool) -> None:
    """Write the report of a run, unless the run was finished before and has one."""
    from cultural_sp.reporting.html_report.build import FOLDER, PAGE, write_report

    page = folder / FOLDER / PAGE
    print(f"report: {page if before and page.is_file() else write_report([folder], folder / FOLDER)}", flush=True)


def validity_main() -> None:
    """``cultural-sp-validity``: only the check whether a model can take a survey."""

    def job(config: AlignConfig) -> None:
        from cultural_sp.evaluation.validity_check import run_validity_check
        from cultural_sp.lm.model_cache import PROCESS_CACHE

        run_validity_check(config, PROCESS_CACHE)

    run_program("validity", job)


def check_survey_main() -> None:
    """``cultural-sp-check-survey``: look over a survey file, or a shipped survey, before a model takes it."""
    from cultural_sp.survey.instrument import available, load_survey
    from cultural_sp.survey.lint import overview

    parser = argparse.ArgumentParser(prog="cultural-sp-check-survey", description="Check a survey file.")
    parser.add_argument("survey", help=f"a .yaml file (docs/surveys.md), or one of: {', '.join(available())}")
    given = parser.parse_args().survey
    with bad_input_ends():
        print(overview(load_survey(given)))


def evaluate_main() -> None:
    """``cultural-sp-evaluate``: a soft prompt on any region, wording, survey and order."""
    from cultural_sp.inference.inherit_config import inherit_run_config

    def job(config: AlignConfig) -> None:
        from cultural_sp.inference.evaluate import evaluate
        from cultural_sp.lm.model_cache import PROCESS_CACHE

        for file in evaluate(config, PROCESS_CACHE):
            print(f"scores: {file}", flush=True)

    run_program("evaluate", job, "evaluate", prepare=inherit_run_config)


def ask_main() -> None:
    """``cultural-sp-ask``: open questions to the plain and the aligned model, side by side."""
    from cultural_sp.config.inference import AskConfig
    from cultural_sp.inference.inherit_config import inherit_run_config

    def job(config: AskConfig) -> None:
        from cultural_sp.inference.ask import ask
        from cultural_sp.lm.model_cache import PROCESS_CACHE

        ask(config, PROCESS_CACHE)

    sys.argv[1:] = question_last(sys.argv[1:])
    run_program("ask", job, "ask", AskConfig, prepare=inherit_run_config)


def side_effects_main() -> None:
    """``cultural-sp-side-effects``: what a soft prompt costs."""
    from cultural_sp.config.inference import SideEffectsConfig
    from cultural_sp.inference.inherit_config import inherit_run_config

    def job(config: SideEffectsConfig) -> None:
        from cultural_sp.inference.side_effects import side_effects
        from cultural_sp.lm.model_cache import PROCESS_CACHE

        print(f"table: {side_effects(config, PROCESS_CACHE)}", flush=True)

    run_program("side-effects", job, "side_effects", SideEffectsConfig, prepare=inherit_run_config)


def export_main() -> None:
    """``cultural-sp-export``: models, soft prompts and surveys in the forms of other tools."""
    from cultural_sp.config.inference import ExportConfig
    from cultural_sp.inference.inherit_config import inherit_run_config

    def job(config: ExportConfig) -> None:
        from cultural_sp.inference.export.run import export

        print(f"export: {export(config)}", flush=True)

    run_program("export", job, "export", ExportConfig, prepare=inherit_run_config)


def benchmark_main() -> None:
    """``cultural-sp-benchmark``: what an evaluation costs on this machine."""
    from cultural_sp.config.studies import BenchmarkConfig

    def job(config: BenchmarkConfig) -> None:
        from cultural_sp.studies.benchmark.run import benchmark

        print(f"benchmark folder: {benchmark(config)}", flush=True)

    run_program("benchmark", job, "bench", BenchmarkConfig)


def factor_analysis_main() -> None:
    """``cultural-sp-factor-analysis``: do the answers of respondents have the structure that the survey declares?"""
    from cultural_sp.config.studies import FactorConfig

    def job(config: FactorConfig) -> None:
        from cultural_sp.lm.model_cache import PROCESS_CACHE
        from cultural_sp.studies.factor_analysis.run import factor_analysis

        print(f"factor analysis folder: {factor_analysis(config, PROCESS_CACHE)}", flush=True)

    run_program("factor-analysis", job, "factor_analysis", FactorConfig, resumes=True)


def report_main() -> None:
    """``cultural-sp-report``: one page about finished runs."""
    from cultural_sp.config.inference import ReportConfig

    def job(config: ReportConfig) -> None:
        from cultural_sp.reporting.html_report.build import report

        print(f"report: {report(config)}", flush=True)

    run_program("report", job, "report", ReportConfig)


def positive_control_main() -> None:
    """``cultural-sp-positive-control``: train a model on which a search for an alignment must succeed."""
    from cultural_sp.config.studies import ControlConfig

    def job(config: ControlConfig) -> None:
        from cultural_sp.studies.positive_control.run import positive_control

        print(f"adapter: {positive_control(config)}", flush=True)

    run_program("positive-control", job, "positive_control", ControlConfig, resumes=True)


def study_main() -> None:
    """``cultural-sp-study``: a grid of runs that compares spaces and optimizers."""
    from cultural_sp.config.studies import StudyConfig

    def job(config: StudyConfig) -> None:
        from cultural_sp.studies.search_study.run import study

        print(f"study folder: {study(config)}", flush=True)

    run_program("study", job, "study", StudyConfig, resumes=True)


def paper_main() -> None:
    """``cultural-sp-reproduce``: the paper's experiment, from the plan to the verdicts on its claims."""
    from cultural_sp.config.studies import PaperConfig

    def job(config: PaperConfig) -> None:
        from cultural_sp.studies.paper.run import reproduce

        folder = reproduce(config, _align, leads=first_process())
        if first_process() and not config.dry_run:
            print(f"paper folder: {folder}", flush=True)

    run_program("paper", job, "reproduce", PaperConfig, together=True, resumes=True)


def artefact_main(name: str) -> None:
    """Write one artefact of a reproduction anew from the runs in the folder that the command line names."""
    from cultural_sp.studies.paper.artefacts import ARTEFACTS, Runs

    parser = argparse.ArgumentParser(description=f"Write {name} from finished runs.")
    about = "the folder of `make reproduce-paper`, such as outputs/paper/embedded"
    parser.add_argument("folder", type=Path, help=about)
    folder = parser.parse_args().folder
    with bad_input_ends():
        ARTEFACTS[name](Runs.of(folder), folder)
    print(f"{name}: {folder}")


def question_last(arguments: Sequence[str]) -> list[str]:
    """Command line arguments in which a question stands as it is, as overrides: whatever is neither an option nor has a key."""
    found: list[str] = []
    words: list[str] = []
    for argument in arguments:
        key, is_override, _ = argument.partition("=")
        option = argument.startswith(("-", "~")) or (is_override and " " not in key)
        (found if option else words).append(argument)
    if words:
        text = " ".join(words).replace("\\", "\\\\").replace("'", "\\'")
        found.append(f"question='{text}'")
    return found
