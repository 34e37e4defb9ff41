"""Command line entry points: Hydra composes the config; what a user can mend becomes one line and exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from cultural_sp.build import build
from cultural_sp.config import AlignConfig, config_folder, register
from cultural_sp.files import RESUME
from cultural_sp.interrupt import PeerLostError, Stopped, stop_on_signals
from cultural_sp.messages import BAD_INPUT, one_line
from cultural_sp.run_folder import run_folder, skip_finished
from cultural_sp.shared import PROCESS
from cultural_sp.sweep import Announce, Done, Sweep
from cultural_sp.sweep_summary import reported


def main(
    program: str,
    job: Callable[[Any], Done | None],
    config_name: str = "config",
    schema: type = AlignConfig,
    *,
    together: bool = False,
    resumes: bool = False,
    prepare: Callable[[Any], Any] = lambda config: config,
) -> None:
    """Compose a config from the command line and run ``job`` on it, once or, with ``--multirun``, for every combination.

    A job with bad input doesn't stop the others of a sweep; any such job makes the exit code 2. A signal stops
    the whole sweep with the exit code that a shell expects for it. However a sweep ends, it tells what its jobs came to.
    ``resumes`` says of the program that it keeps what it computes, so that the same command goes on after a signal.
    ``prepare`` makes of the composed config the one that is built.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise instead of printing its own report and leaving with code 1
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "passive"
    )  # threads that spin while waiting double the time on shared cores
    register()
    first = first_process()
    if several_processes() and not together:
        if first:
            print(
                "error: this program runs in one process; start it without torchrun or accelerate launch",
                file=sys.stderr,
            )
        sys.exit(2)
    failed: list[str] = []

    def note(error: BaseException) -> str:
        failed.append(one_line(error, schema))
        if first or isinstance(error, PeerLostError):  # all processes have the same command line to complain about
            print(f"error: {failed[-1]}", file=sys.stderr, flush=True)
        return failed[-1]

    sweep = Sweep(program)
    Announce.sweep = sweep if first else None  # the others' sweep never starts, and so writes nothing

    def run(config: Any) -> None:  # launchers send a copy of it to other processes
        with sweep.job(config) as outcome:
            try:
                built: Any = build(prepare(config), schema)
                if isinstance(built, AlignConfig) and built.tracker.group is None:
                    built.tracker.group = sweep.title
                outcome.done(job(built))
            except BAD_INPUT as error:  # kept from Hydra, which would add a line of its own
                outcome.failed(note(error))

    entry = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config_name)(run)
    try:
        _check_flags()
        with stop_on_signals(), reported(sweep, failed):
            entry()
    except BAD_INPUT as error:
        note(error)
    except Stopped as stop:
        print(f"{stop}; {RESUME if resumes else 'nothing was kept, so the same command starts anew'}", file=sys.stderr)
        sys.exit(stop.exit_code)
    finally:
        PROCESS.clear()
    if failed:
        sys.exit(2)


def _check_flags() -> None:
    """Refuse flags that Hydra doesn't have, as it would print its whole usage, and files of which it wouldn't say the name.

    Raises:
        ValueError: in one line.
    """

    def refuse(message: str) -> NoReturn:
        raise ValueError(f"{message}; write options of a run as key=value, and see --hydra-help for flags")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    folder = parser.parse_args().config_dir
    for path in sorted(Path(folder).rglob("*.yaml")) if folder else ():
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error


def align_main() -> None:
    """``cultural-sp-align``: the main job."""

    def job(config: AlignConfig) -> Done:
        before = not several_processes() and skip_finished(config) is not None
        if not before:  # torch and transformers load only if there is something to do
            _align(config)
        if first_process():
            if HydraConfig.get().mode == RunMode.RUN:  # a sweep ends with one report on all of its runs
                _report(run_folder(config), before=before)
            print(f"run folder: {run_folder(config)}", flush=True)
        return Done(run_folder(config), before)

    main("align", job, together=True, resumes=True)


def _align(config: AlignConfig) -> None:
    """This process's part in a run; the first leads even where there is nothing to do, as the others wait for its word."""
    from cultural_sp.alignment import align, help_align
    from cultural_sp.distributed import join
    from cultural_sp.shared import PROCESS  # here, since what a launcher sends along would be a copy

    team = join(config.model)
    if team.rank:
        help_align(config, PROCESS, team)
        return
    with team.leading():
        align(config, PROCESS, team)


def _report(folder: Path, *, before: bool) -> None:
    """Write the report of a run, unless the run was finished before and has one."""
    from cultural_sp.report.build import FOLDER, PAGE, write_report

    page = folder / FOLDER / PAGE
    print(f"report: {page if before and page.is_file() else write_report([folder], folder / FOLDER)}", flush=True)


def first_process() -> bool:
    """Whether this is the process that leads and writes."""
    return os.environ.get("RANK", "0") == "0"


def several_processes() -> bool:
    """Whether a launcher started this program as one of several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def validity_main() -> None:
    """``cultural-sp-validity``: only the check whether a model can take a survey."""

    def job(config: AlignConfig) -> None:
        from cultural_sp.shared import PROCESS
        from cultural_sp.validity import check

        check(config, PROCESS)

    main("validity", job)


def check_survey_main() -> None:
    """``cultural-sp-check-survey``: look over a survey file, or a shipped survey, before a model takes it."""
    from cultural_sp.survey.check import overview
    from cultural_sp.survey.instrument import available, load_survey

    parser = argparse.ArgumentParser(prog="cultural-sp-check-survey", description="Check a survey file.")
    parser.add_argument("survey", help=f"a .yaml file (docs/surveys.md), or one of: {', '.join(available())}")
    try:
        print(overview(load_survey(parser.parse_args().survey)))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def evaluate_main() -> None:
    """``cultural-sp-evaluate``: a soft prompt on any region, wording, survey and order."""
    from cultural_sp.use.settings import inherit

    def job(config: AlignConfig) -> None:
        from cultural_sp.shared import PROCESS
        from cultural_sp.use.evaluate import evaluate

        for file in evaluate(config, PROCESS):
            print(f"scores: {file}", flush=True)

    main("evaluate", job, "evaluate", prepare=inherit)


def ask_main() -> None:
    """``cultural-sp-ask``: open questions to the plain and the aligned model, side by side."""
    from cultural_sp.use.ask_config import AskConfig, question_last, register_ask
    from cultural_sp.use.settings import inherit

    def job(config: AskConfig) -> None:
        from cultural_sp.shared import PROCESS
        from cultural_sp.use.ask import ask

        ask(config, PROCESS)

    register_ask()
    sys.argv[1:] = question_last(sys.argv[1:])
    main("ask", job, "ask", AskConfig, prepare=inherit)


def side_effects_main() -> None:
    """``cultural-sp-side-effects``: what a soft prompt costs."""
    from cultural_sp.use.settings import inherit
    from cultural_sp.use.side_effects_config import SideEffectsConfig, register_side_effects

    def job(config: SideEffectsConfig) -> None:
        from cultural_sp.shared import PROCESS
        from cultural_sp.use.side_effects import side_effects

        print(f"table: {side_effects(config, PROCESS)}", flush=True)

    register_side_effects()
    main("side-effects", job, "side_effects", SideEffectsConfig, prepare=inherit)


def export_main() -> None:
    """``cultural-sp-export``: models, soft prompts and surveys in the forms of other tools."""
    from cultural_sp.export.config import ExportConfig, register_export
    from cultural_sp.use.settings import inherit

    def job(config: ExportConfig) -> None:
        from cultural_sp.export.run import export

        print(f"export: {export(config)}", flush=True)

    register_export()
    main("export", job, "export", ExportConfig, prepare=inherit)


def benchmark_main() -> None:
    """``cultural-sp-benchmark``: what an evaluation costs on this machine."""
    from cultural_sp.benchmark.config import BenchmarkConfig, register_benchmark

    def job(config: BenchmarkConfig) -> None:
        from cultural_sp.benchmark.run import benchmark

        print(f"benchmark folder: {benchmark(config)}", flush=True)

    register_benchmark()
    main("benchmark", job, "benchmark", BenchmarkConfig)


def factor_analysis_main() -> None:
    """``cultural-sp-factor-analysis``: do the answers of respondents have the structure that the survey declares?"""
    from cultural_sp.factor_analysis.config import FactorConfig, register_factor

    def job(config: FactorConfig) -> None:
        from cultural_sp.factor_analysis.run import factor_analysis

        print(f"factor analysis folder: {factor_analysis(config, PROCESS)}", flush=True)

    register_factor()
    main("factor-analysis", job, "factor_analysis", FactorConfig, resumes=True)


def report_main() -> None:
    """``cultural-sp-report``: one page about finished runs."""
    from cultural_sp.report.config import ReportConfig, register_report, report

    def job(config: ReportConfig) -> None:
        print(f"report: {report(config)}", flush=True)

    register_report()
    main("report", job, "report", ReportConfig)


def positive_control_main() -> None:
    """``cultural-sp-positive-control``: train a model on which a search for an alignment must succeed."""
    from cultural_sp.positive_control.config import ControlConfig, register_control

    def job(config: ControlConfig) -> None:
        from cultural_sp.positive_control.run import positive_control

        print(f"adapter: {positive_control(config)}", flush=True)

    register_control()
    main("positive-control", job, "positive_control", ControlConfig, resumes=True)


def study_main() -> None:
    """``cultural-sp-study``: a grid of runs that compares spaces and optimizers."""
    from cultural_sp.study.config import StudyConfig, register_study

    def job(config: StudyConfig) -> None:
        from cultural_sp.study.run import study

        print(f"study folder: {study(config)}", flush=True)

    register_study()
    main("study", job, "search_study", StudyConfig, resumes=True)


def paper_main() -> None:
    """``cultural-sp-reproduce``: the paper's experiment, from the plan to the verdicts on its claims."""
    from cultural_sp.paper.config import PaperConfig, register_paper

    def job(config: PaperConfig) -> None:
        from cultural_sp.paper.run import reproduce

        folder = reproduce(config, _align, leads=first_process())
        if first_process() and not config.dry_run:
            print(f"paper folder: {folder}", flush=True)

    register_paper()
    main("paper", job, "paper", PaperConfig, together=True, resumes=True)


def artefact_main(name: str) -> None:
    """Write one artefact of a reproduction anew from the runs in the folder that the command line names."""
    from cultural_sp.paper.artefacts import ARTEFACTS, Runs

    parser = argparse.ArgumentParser(description=f"Write {name} from finished runs.")
    parser.add_argument(
        "folder", type=Path, help="the folder of `make reproduce-paper`, such as outputs/paper/embedded"
    )
    folder = parser.parse_args().folder
    try:
        ARTEFACTS[name](Runs.of(folder), folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{name}: {folder}")
