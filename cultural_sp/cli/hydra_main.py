"""How a program of the command line runs: Hydra composes the config; what a user can mend becomes one line and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser

from cultural_sp.cli.sweep import JobResult, Sweep, SweepCallback
from cultural_sp.cli.sweep_summary import print_summary_on_exit
from cultural_sp.config.compose import build, config_folder, register
from cultural_sp.config.error_messages import BAD_INPUT, one_line
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.utils.files import RESUME
from cultural_sp.utils.signals import PeerLostError, Stopped, stop_on_signals


def run_program(
    program: str,
    job: Callable[[Any], JobResult | None],
    config_name: str = "align",
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
    # Threads that spin while waiting double the time on shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
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
    SweepCallback.sweep = sweep if first else None  # the others' sweep never starts, and so writes nothing

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
        with stop_on_signals(), print_summary_on_exit(sweep, failed):
            entry()
    except BAD_INPUT as error:
        note(error)
    except Stopped as stop:
        print(f"{stop}; {RESUME if resumes else 'nothing was kept, so the same command starts anew'}", file=sys.stderr)
        sys.exit(stop.exit_code)
    finally:
        PROCESS_CACHE.clear()
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


def first_process() -> bool:
    """Whether this is the process that leads and writes."""
    return os.environ.get("RANK", "0") == "0"


def several_processes() -> bool:
    """Whether a launcher started this program as one of several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
