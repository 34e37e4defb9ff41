"""The table of programs: the command, the scripts in ``experiments/`` and the list of options follow from it.

Loads nothing of what it names, so that ``cultural-sp --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

RUN = "Run"
RESULTS = "Look at results"
SOFT_PROMPT = "Use a soft prompt"
STUDIES = "Studies"
TOOLS = "Tools"

_RUNS = "cultural_sp.cli.run_jobs"
_SOFT_PROMPTS = "cultural_sp.cli.soft_prompt_jobs"
_STUDIES = "cultural_sp.cli.study_jobs"
_FOLDER = attrgetter("folder")
_INHERIT = "cultural_sp.inference.inherit_config:inherit_run_config"


@dataclass(frozen=True)
class Program:
    """One program of the command line: ``cultural-sp NAME``.

    Functions are written as ``module:name`` and imported when the program runs.
    """

    name: str
    group: str
    """Heading under which ``cultural-sp --help`` lists it."""
    summary: str
    job: str | Callable[..., Any]
    """Takes the built config; without Hydra, it takes nothing and reads ``sys.argv``."""
    hydra: bool = True
    """Whether Hydra composes a config for it, from ``conf/NAME.yaml``."""
    together: bool = False
    """Whether several processes of ``torchrun`` may run it."""
    resumes: bool = False
    """Whether the same command goes on after a signal."""
    prepare: str = ""
    """Changes the composed config before it is built."""
    folder: str | Callable[[Any], Path] = ""
    """Takes the built config and returns the folder that the job writes into, if each job of a sweep needs its own."""
    rewrite: str = ""
    """Changes the arguments of the command line before Hydra reads them."""

    @property
    def config(self) -> str:
        """Name of its file in ``conf``."""
        return self.name.replace("-", "_")


_TABLE = (
    Program(
        "align",
        RUN,
        "evolve a soft prompt so that a frozen model answers a survey like a region",
        f"{_RUNS}:align_job",
        together=True,
        resumes=True,
        folder=f"{_RUNS}:run_folder",
    ),
    Program("validity", RUN, "check whether a model can take a survey at all", f"{_RUNS}:validity_job"),
    Program(
        "check-model",
        RUN,
        "check on a dozen tokens whether a model can be searched and scored",
        f"{_RUNS}:check_model_job",
        rewrite=f"{_RUNS}:model_first",
    ),
    Program("check-survey", RUN, "check a survey file before a model takes it", f"{_RUNS}:check_survey", hydra=False),
    Program("report", RESULTS, "write one page about finished runs", f"{_RUNS}:report_job", folder=_FOLDER),
    Program("watch", RESULTS, "watch a run in the terminal", "cultural_sp.reporting.watch:main", hydra=False),
    Program(
        "wordings",
        RESULTS,
        "draw how the loss falls with the number of wordings",
        "cultural_sp.reporting.wordings_figure:main",
        hydra=False,
    ),
    Program(
        "sync-wandb",
        RESULTS,
        "bring finished runs into wandb",
        "cultural_sp.reporting.wandb_tracking.sync:main",
        hydra=False,
    ),
    Program(
        "dashboard",
        RESULTS,
        "make a wandb workspace and report over a sweep",
        "cultural_sp.reporting.wandb_tracking.dashboard:main",
        hydra=False,
    ),
    Program(
        "evaluate",
        SOFT_PROMPT,
        "score a soft prompt on any region, wording, survey and option order",
        f"{_SOFT_PROMPTS}:evaluate_job",
        prepare=_INHERIT,
    ),
    Program(
        "ask",
        SOFT_PROMPT,
        "ask the plain and the aligned model the same open question",
        f"{_SOFT_PROMPTS}:ask_job",
        prepare=_INHERIT,
        rewrite=f"{_SOFT_PROMPTS}:question_last",
    ),
    Program(
        "side-effects",
        SOFT_PROMPT,
        "measure what a soft prompt changes beside the survey",
        f"{_SOFT_PROMPTS}:side_effects_job",
        prepare=_INHERIT,
    ),
    Program(
        "export",
        SOFT_PROMPT,
        "write a model, soft prompt or survey in the format of another tool",
        f"{_SOFT_PROMPTS}:export_job",
        folder=_FOLDER,
        prepare=_INHERIT,
    ),
    Program(
        "reproduce",
        STUDIES,
        "reproduce the paper: runs, table, figures and verdicts on its claims",
        f"{_STUDIES}:reproduce_job",
        folder=_FOLDER,
        together=True,
        resumes=True,
    ),
    Program(
        "study",
        STUDIES,
        "compare search spaces and optimizers",
        f"{_STUDIES}:study_job",
        resumes=True,
        folder=_FOLDER,
    ),
    Program(
        "bench", STUDIES, "measure what an evaluation costs on this machine", f"{_STUDIES}:bench_job", folder=_FOLDER
    ),
    Program(
        "gpu-check",
        STUDIES,
        "check on a GPU how fast, exact and restartable runs are there",
        f"{_STUDIES}:gpu_check_job",
        folder=_FOLDER,
    ),
    Program(
        "factor-analysis",
        STUDIES,
        "test whether answers have the structure that the survey declares",
        f"{_STUDIES}:factor_analysis_job",
        folder=_FOLDER,
        resumes=True,
    ),
    Program(
        "positive-control",
        STUDIES,
        "train a model on which the search for an alignment must succeed",
        f"{_STUDIES}:positive_control_job",
        folder=_FOLDER,
        resumes=True,
    ),
    Program(
        "scaling", STUDIES, "measure the speed-up by a second process on this CPU", f"{_STUDIES}:scaling", hydra=False
    ),
    Program(
        "options",
        TOOLS,
        "list every option of every program with its default and meaning",
        "cultural_sp.cli.options:main",
        hydra=False,
    ),
)

PROGRAMS: dict[str, Program] = {program.name: program for program in _TABLE}
"""Name -> program, in the order of ``cultural-sp --help``."""
