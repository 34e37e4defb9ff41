"""The jobs of the studies; they import what they need when they run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cultural_sp.config.error_messages import exit_on_bad_input
from cultural_sp.utils.processes import first_process
from cultural_sp.utils.terminal import show

if TYPE_CHECKING:
    from cultural_sp.config.studies import (
        BenchmarkConfig,
        ControlConfig,
        FactorConfig,
        GpuCheckConfig,
        PaperConfig,
        StudyConfig,
    )


def reproduce_job(config: PaperConfig) -> None:
    """Reproduce the paper, from the plan to the verdicts on its claims."""
    from cultural_sp.cli.run_jobs import run_alignment
    from cultural_sp.studies.paper.run import reproduce

    folder = reproduce(config, run_alignment, leads=first_process())
    if first_process() and not config.dry_run:
        show(f"paper folder: {folder}")


def write_artefact(name: str) -> None:
    """Write one artefact of a reproduction anew, from the runs in the folder that the command line names."""
    from cultural_sp.studies.paper.artefacts import ARTEFACTS
    from cultural_sp.studies.paper.runs import Runs

    parser = argparse.ArgumentParser(description=f"Write {name} from finished runs.")
    about = "the folder of `cultural-sp reproduce`, such as outputs/paper/embedded"
    parser.add_argument("folder", type=Path, help=about)
    folder = parser.parse_args().folder
    with exit_on_bad_input():
        ARTEFACTS[name](Runs.of(folder), folder)
    show(f"{name}: {folder}")


def study_job(config: StudyConfig) -> None:
    """Compare search spaces and optimizers on a grid of runs."""
    from cultural_sp.studies.search_study.run import study

    show(f"study folder: {study(config)}")


def bench_job(config: BenchmarkConfig) -> None:
    """Measure the cost of an evaluation on this machine."""
    from cultural_sp.studies.benchmark.run import benchmark

    show(f"benchmark folder: {benchmark(config)}")


def gpu_check_job(config: GpuCheckConfig) -> None:
    """Check the program on a GPU."""
    from cultural_sp.studies.benchmark.gpu_check.run import gpu_check

    show(f"folder of the check: {gpu_check(config)}")


def factor_analysis_job(config: FactorConfig) -> None:
    """Test whether answers have the structure that the survey declares."""
    from cultural_sp.lm.model_cache import PROCESS_CACHE
    from cultural_sp.studies.factor_analysis.run import factor_analysis

    show(f"factor analysis folder: {factor_analysis(config, PROCESS_CACHE)}")


def positive_control_job(config: ControlConfig) -> None:
    """Train a model on which the search for an alignment must succeed."""
    from cultural_sp.studies.positive_control.run import positive_control

    show(f"adapter: {positive_control(config)}")


def scaling() -> None:
    """Measure the speed-up by a second process; the arguments are overrides of ``cultural-sp align``."""
    from cultural_sp.studies.benchmark.scaling import scaling

    show(scaling(sys.argv[1:]))
