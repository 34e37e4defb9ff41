"""Runs of the command line, in this process or in one that a test stops; torch is imported once for all of those."""

import copy
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

from helpers.journals import read_journal
from hydra._internal.hydra import Hydra
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins

import cultural_sp
from cultural_sp.cli.command import run
from cultural_sp.config.compose import config_folder
from cultural_sp.utils.json_lines import CHECKSUM

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(["cultural_sp.alignment.run", "peft"])
Plugins.instance()  # finds the sources
FILES = SourcesRegistry.instance().resolve("file")
_load, _loaded = FILES.load_config, {}


def _load_once(source, config_path):
    """The package's own configs are parsed once: some hundred tests compose them, and parsing takes a quarter of that."""
    if Path(source.path) != config_folder():
        return _load(source, config_path)
    if config_path not in _loaded:
        _loaded[config_path] = _load(source, config_path)
    return copy.deepcopy(_loaded[config_path])


FILES.load_config = _load_once


def call(monkeypatch, capsys, *overrides, entry="align"):
    """Run a program, or another entry point, in this process; returns exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["align.py", *overrides])
    if not any("hydra.mode" in override for override in overrides):
        # Hydra would compose the whole config once more to find that out, and a test of a command is little more than that.
        monkeypatch.setattr(Hydra, "get_mode", lambda *_, **__: None)
    code = 0
    try:
        run(entry) if isinstance(entry, str) else entry()
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    return code, out, err


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
    bars = ("random_search: ", "aligned: ", "scores: ", "validity: ", "open questions: ")
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
