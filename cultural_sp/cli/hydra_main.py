"""The frame around a program: Hydra composes its config, and an error that the user can fix is one line and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from cultural_sp.cli.programs import Program
from cultural_sp.cli.sweep import JobError
from cultural_sp.cli.sweep_callback import record_stop, summary_after_failure, sweep_title
from cultural_sp.config.compose import SCHEMAS, build_config, config_folder, register_configs, typed_overrides
from cultural_sp.config.error_messages import BAD_INPUT, error_line
from cultural_sp.config.null_groups import null_group_errors
from cultural_sp.config.overrides import refuse_lists
from cultural_sp.config.registries import load_object
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.runs.inputs import with_region_codes
from cultural_sp.utils.files import RESUME_HINT
from cultural_sp.utils.processes import first_process, several_processes
from cultural_sp.utils.signals import PeerLostError, Stopped, stop_on_signals
from cultural_sp.utils.terminal import show


def run_program(program: Program) -> None:
    """Compose a config from the command line and run the program's job on it; with ``--multirun``, for every combination.

    Bad input of a job is one line, and the exit code is 2 in the end; the other jobs of a sweep still run. A signal stops
    the whole sweep, with the exit code that a shell expects. However a sweep ends, the table of its jobs is printed.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise; otherwise it prints a report and exits with code 1
    # Threads that spin while they wait double the time on shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if several_processes() and not program.together:
        if first_process():
            show("error: this program runs in one process; start it without torchrun or accelerate launch", error=True)
        sys.exit(2)
    if program.rewrite:
        sys.argv[1:] = load_object(program.rewrite)(sys.argv[1:])
    register_configs()
    errors: list[str] = []
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=program.config)
    entry = decorate(job_function(program, errors))
    try:
        overrides = _checked_overrides()
        with stop_on_signals(), summary_after_failure(errors), null_group_errors(overrides, SCHEMAS[program.config]):
            entry()
    except BAD_INPUT as error:
        print_error(error, program, errors)
    except Stopped as stop:
        way_on = RESUME_HINT if program.resumes else "nothing was kept, so the same command starts anew"
        show(f"{stop}; {way_on}", error=True)
        sys.exit(stop.exit_code)
    finally:
        PROCESS_CACHE.clear()
    if errors:
        sys.exit(2)


def job_function(program: Program, errors: list[str]) -> Callable[[Any], Any]:
    """Return the function that Hydra calls with each composed config. Launchers send a copy of it to other processes."""
    schema, job = SCHEMAS[program.config], load_object(program.job)
    prepare = load_object(program.prepare) if program.prepare else None

    def run(config: Any) -> Any:
        try:
            if HydraConfig.get().mode == RunMode.RUN:  # a sweep is checked before its first job
                refuse_lists(typed_overrides(HydraConfig.get()))
            built: Any = build_config(config if prepare is None else prepare(config), schema)
            if isinstance(built, AlignConfig):
                built = with_region_codes(built)
                built.tracker.group = built.tracker.group or sweep_title()
            return job(built)
        except BAD_INPUT as error:
            return JobError(print_error(error, program, errors))
        except Stopped:
            record_stop()
            raise

    return run


def print_error(error: BaseException, program: Program, errors: list[str]) -> str:
    """Print an error as one line, append the line to ``errors`` and return it."""
    line = error_line(error, SCHEMAS[program.config])
    errors.append(line)
    if first_process() or isinstance(
        error, PeerLostError
    ):  # all processes have the same command line to complain about
        show(f"error: {line}", error=True)
    return line


def _checked_overrides() -> list[str]:
    """Return the overrides on the command line.

    Flags and files are checked for which Hydra's own error would be too long, or wouldn't name the file.

    Raises:
        ValueError: if Hydra doesn't have a flag, or a file in ``--config-dir`` isn't UTF-8 text.
    """

    def refuse(message: str) -> NoReturn:
        raise ValueError(f"{message}; write options of a run as key=value, and see --hydra-help for flags")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    arguments = parser.parse_args()
    folder = arguments.config_dir
    for path in sorted(Path(folder).rglob("*.yaml")) if folder else ():
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error
    return list(arguments.overrides)
