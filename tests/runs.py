"""Runs of the command line in processes of their own, which tests stop in every way; torch is imported once for all."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import cultural_sp

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(["cultural_sp.align", "peft"])


class Run:
    """One process that runs ``cultural-sp-align`` with these overrides; its output goes into files beside ``log``."""

    def __init__(self, overrides, log):
        self.out, self.err = log.with_suffix(".out"), log.with_suffix(".err")
        self.process = server.Process(target=_align, args=(overrides, self.out, self.err, cultural_sp.__file__))
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
    bars = ("random_search: ", "aligned: ", "scores: ", "validity: ")
    return [line for line in errors.splitlines() if not line.startswith(bars)]


def _align(overrides, out, err, package):
    for descriptor, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    import torch

    from cultural_sp import cli

    assert Path(cultural_sp.__file__) == Path(package)
    torch.set_num_threads(1)
    sys.argv = ["align.py", *overrides]
    try:
        cli.align_main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
