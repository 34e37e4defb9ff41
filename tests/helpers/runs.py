"""Runs of the command line, in this process or in one that a test stops; torch is imported once for all of those."""

import copy
import functools
import json
import multiprocessing
import os
import re
import sys
import time
from pathlib import Path

from helpers.journals import read_journal
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

import cultural_sp
from cultural_sp.cli.command import run
from cultural_sp.cli.hydra_main import job_function, print_error
from cultural_sp.cli.programs import PROGRAMS
from cultural_sp.cli.sweep_callback import SweepCallback
from cultural_sp.config.compose import OTHER_GROUPS, SCHEMAS, config_folder, register_configs
from cultural_sp.config.error_messages import BAD_INPUT
from cultural_sp.config.null_groups import null_group_errors
from cultural_sp.config.registries import load_object
from cultural_sp.config.schema import GROUPS
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.utils.json_lines import CHECKSUM

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(
    [
        "cultural_sp.alignment.run",
        "cultural_sp.cli.hydra_main",
        "cultural_sp.search.nevergrad",
        "cultural_sp.reporting.html_report.build",
        "peft",
    ]
)


def call(monkeypatch, capsys, *overrides, entry="align", here=None):
    """Run a program, or another entry point, in this process; returns exit code, stdout and stderr.

    Without flags Hydra's compose API makes the config, and the program's own job runs on it; with flags, such as --multirun,
    the whole command runs. ``{here}`` in an override stands for the folder ``here``. What the choices of groups come to is
    composed once for all tests.
    """
    program = PROGRAMS[entry] if isinstance(entry, str) else None
    flags = any(o.startswith("-") or o.startswith("hydra") for o in overrides)
    code = 0
    if program is not None and program.hydra and not flags:
        monkeypatch.setattr(sys, "argv", ["align.py", *overrides])
        code = _run_composed(program, overrides, here)
    else:
        monkeypatch.setattr(sys, "argv", ["align.py", *(o.replace("{here}", str(here)) for o in overrides)])
        try:
            run(entry) if isinstance(entry, str) else entry()
        except SystemExit as leaving:
            code = leaving.code
    out, err = capsys.readouterr()
    return code, out, err


VALUE = re.compile(r"[a-z_.0-9]+=")
OPTION_GROUPS = {*GROUPS, *OTHER_GROUPS, "experiment", "profile", "local"}


def _run_composed(program, overrides, here):
    """Exit code of a program whose config Hydra composes without its command line."""
    errors = []
    try:
        given = [o.replace("{here}", str(here)) for o in overrides]
        given = load_object(program.rewrite)(given) if program.rewrite else given
        with null_group_errors(given, SCHEMAS[program.config]):
            config = _config(program, given)
        with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):  # studies compose runs
            job_function(program, errors)(config)
    except BAD_INPUT as error:
        print_error(error, program, errors)
    finally:
        if (
            PROCESS_CACHE._model is not None
        ):  # collecting garbage after hundreds of runs without a model would take long
            PROCESS_CACHE.clear()
    return 2 if errors else 0


def _config(program, given):
    """What Hydra composes of these overrides."""
    values = [o for o in given if VALUE.match(o) and o.partition("=")[0] not in OPTION_GROUPS]
    chosen = [o for o in given if o not in values]
    config = copy.deepcopy(_composed(program.name, tuple(chosen)))
    # What compose does with overrides of values; the rest of its work is the same for hundreds of tests.
    ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(values), config)
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.overrides.task = given
    HydraConfig.instance().set_config(config)
    SweepCallback.current = None  # of a sweep that an earlier test ran in this process
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config


@functools.lru_cache(maxsize=64)
def _composed(name, overrides):
    """The config of a program with these choices of groups, and with Hydra's own entry."""
    register_configs()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        return compose(PROGRAMS[name].config, overrides=[*overrides, "hydra.mode=RUN"], return_hydra_config=True)


def refused(monkeypatch, capsys, folder, *arguments):
    """The error of a run that must leave everything in the folder as it is."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, _, err = call(monkeypatch, capsys, *arguments)
    assert code == 2
    (err,) = without_bars(err)
    assert err.startswith("error: ")
    lock = {folder / ".lock": b""}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} | lock == before | lock
    return err


def folder_of(output):
    return output / "align" / "us" / "tiny" / "seed-0"


def outcome(folder):
    """What must not depend on how often a run was stopped."""
    records = read_journal(folder / "evaluations.jsonl")
    result = json.loads((folder / "result.json").read_text())
    del result["seconds"]
    return {
        "header": (folder / "evaluations.jsonl").read_bytes().splitlines()[0],
        "journal": [{k: v for k, v in r.items() if k not in ("seconds", CHECKSUM)} for r in records],
        "prompt": (folder / "soft_prompt" / "adapter_model.safetensors").read_bytes(),
        "scores": (folder / "scores.jsonl").read_bytes(),
        "validity": (folder / "validity.json").read_bytes(),
        "result": result,
    }


class Run:
    """One process that runs ``cultural-sp align`` with these overrides; its output goes into files beside ``log``."""

    def __init__(self, overrides, log, environment=()):
        self.out, self.err = log.with_suffix(".out"), log.with_suffix(".err")
        for file in (self.out, self.err):
            file.touch()  # a process may be killed before it opens them
        self.process = server.Process(
            target=_align, args=(overrides, self.out, self.err, cultural_sp.__file__, environment)
        )
        self.process.start()

    def wait_for(self, happened):
        """Poll until ``happened()`` or the end of the process; returns whether it still runs."""
        deadline = time.monotonic() + 60
        while self.process.is_alive() and not happened():
            assert time.monotonic() < deadline, self.err.read_text()
            time.sleep(0.002)
        return self.process.is_alive()

    def wait_for_lines(self, path, number):
        """Poll until a file has so many lines."""
        return self.wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") >= number)

    def end(self):
        """Exit code of the process, negative if a signal ended it; standard output and errors without progress."""
        self.process.join(60)
        assert self.process.exitcode is not None
        return self.process.exitcode, self.out.read_text(), without_bars(self.err.read_text())


def without_bars(errors):
    """Lines of the standard error stream without those of progress bars."""
    bars = ("random_search: ", "aligned: ", "scores: ", "validity: ", "open questions: ", "converting tensors: ")
    return [line for line in errors.splitlines() if not line.startswith(bars)]


def _align(overrides, out, err, package, environment):
    os.environ.update(environment)
    for descriptor, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    import torch

    assert Path(cultural_sp.__file__) == Path(package)
    torch.set_num_threads(1)
    sys.argv = ["align.py", *overrides]
    try:
        run("align")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
