"""How the program bears large work, measured on this machine: ``python tests/helpers/loads.py [sweep] [items] [population] ...``.

Nothing here runs by default. The model is the tiny random one of the tests, so what is measured is everything around it.
docs/performance.md has the numbers; tests/test_loads.py checks small versions of some.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.options import optimizer_config
from helpers.searches import of_batches

from cultural_sp.cli.command import run
from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Evaluation, Search
from cultural_sp.search.optimizers import make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.schedule import whole_survey
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.regions import region_codes

ROOT = Path(__file__).parents[2]
QUICK = ["optimizer.population=4", "soft_prompt.n_tokens=3", "soft_prompt.dim=4", "readout.report_generate=false"]
QUICK += ["tracker=disabled", "model.batch_size=4"]


def journal(folder, evaluations=200_000, dim=64, population=200):
    """CPU seconds to write a journal of so many evaluations, to read it, and to play it to fresh optimizers; its MB."""
    path = folder / "evaluations.jsonl"
    names = tuple("ABCDEF")
    # Not a model: six sums of the coordinates, so that what is measured is the search itself.
    mix = np.random.default_rng(0).standard_normal((dim, 6)) / np.sqrt(dim)

    def evaluate(z):
        scores = 50 + 30 * np.tanh(z @ mix)
        return Evaluation(scores, np.tile(scores, 4), np.ones(len(z)))

    def judge(dimensions, mass):
        loss = np.abs(dimensions - 70).mean(axis=1)
        return loss, loss

    def both():
        started = time.process_time()
        kept = Journal(path, {"load": "journal"}, lambda: {"batch_size": population})
        read = time.process_time() - started
        found = [
            Search(name, {"us": judge}, of_batches(evaluate), whole_survey(evaluations // 2, population), names, kept)
            .run([make(optimizer_config(population=population, budget=evaluations // 2), dim)])["us"]
            .loss
            for name, make in (("random_search", RandomSearch), ("aligned", make_optimizer))
        ]
        return read, time.process_time() - started - read, found

    _, written, first = both()
    read, played, second = both()
    assert first == second
    return {"write": written, "read": read, "play": played, "megabytes": path.stat().st_size / 1e6}


def memory(folder, model, evaluations=5_000, samples=10, overrides=()):
    """MB of this process after each tenth of a run's evaluations."""
    from cultural_sp.search import loop

    seen, found = [0], []
    append = Journal.append

    def counted(self, records):
        append(self, records)
        seen[0] += len(records)
        if seen[0] >= (len(found) + 1) * evaluations // samples:
            found.append(psutil.Process().memory_info().rss / 1e6)

    sys.argv = [
        "align.py",
        *QUICK,
        "validity=false",
        f"model.name_or_path={model}",
        f"optimizer.budget={evaluations // 2}",
    ]
    sys.argv += [f"output_dir={folder}", *overrides]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        loop.Journal.append = counted
        try:
            run("align")
        finally:
            loop.Journal.append = append
    return found


def survey_of(path, items):
    """Write a survey of so many items that measure PDI and IDV."""
    lines = [
        "name: large\ntitle: A large survey\ntargets: hofstede.csv\ndefault_vintage: insights_2021",
        "scales:\n  five: {lead: 'I say', labels: [first, second, third, fourth, fifth]}\nitems:",
    ]
    for i in range(items):
        wordings = [f"{verb} you agree with statement number {i} of this questionnaire?" for verb in ("Do", "Would")]
        lines.append(f"  - {{id: q{i}, construct: q{i}, scale: five, wordings: {wordings}}}")
    for name, parity in (("PDI", 0), ("IDV", 1)):
        signs = ", ".join(f"q{i}: {10 if i % 4 < 2 else -10}" for i in range(items) if i % 2 == parity)
        lines.append(("dimensions:\n" if parity == 0 else "") + f"  {name}: {{{signs}}}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def command(folder, model, *overrides):
    """Seconds, and the largest MB of the process, of one call of the main program."""
    line = [
        sys.executable,
        str(ROOT / "experiments" / "align.py"),
        *overrides[:1],
        *QUICK,
        f"model.name_or_path={model}",
    ]
    line += [f"output_dir={folder}", *overrides[1:]]
    started, most = time.perf_counter(), 0.0
    with (folder.parent / "log").open("w") as log:
        running = psutil.Popen(line, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        while running.poll() is None:
            with contextlib.suppress(psutil.Error):
                most = max(most, running.memory_info().rss / 1e6)
            time.sleep(0.5)
    assert running.returncode == 0, (folder.parent / "log").read_text()[-2000:]
    return time.perf_counter() - started, most


def tiny_model(folder):
    """The folder of the tests' tiny random model."""
    import conftest

    class Factory:
        def mktemp(self, name):
            return folder

    return conftest.tiny_folder.__wrapped__(Factory())


LOADS: dict[str, Callable] = {}


def load(measure):
    """Enter a measurement under its name."""
    LOADS[measure.__name__.removesuffix("_load")] = measure
    return measure


@load
def sweep_load(folder, model):
    """Sixty regions, three seeds."""
    codes = ",".join(region_codes(load_survey("vsm13"), "insights_2021")[:60])
    small = ["validity=false", "optimizer.budget=8"]
    seconds, most = command(folder / "out", model, "--multirun", f"region={codes}", "seed=0,1,2", *small)
    runs = len(list((folder / "out").rglob("result.json")))
    assert runs == 180
    again, _ = command(folder / "out", model, "--multirun", f"region={codes}", "seed=0,1,2", *small)
    return f"sweep of {runs} runs: {seconds:.0f} s, at most {most:.0f} MB; the same command again, all finished: {again:.0f} s"


@load
def items_load(folder, model):
    """A survey of 300 items."""
    survey = survey_of(folder / "large.yaml", 300)
    seconds, most = command(
        folder / "out", model, f"survey.instrument={survey}", "validity=false", "optimizer.budget=8"
    )
    return f"survey of 300 items, 16 evaluations: {seconds:.0f} s, at most {most:.0f} MB"


@load
def population_load(folder, model):
    """A population of 2,000."""
    large = ["optimizer.population=2000", "optimizer.budget=4000", "model.batch_size=32"]
    seconds, most = command(folder / "out", model, "validity=false", *large)
    return f"population of 2,000, 8,000 evaluations: {seconds:.0f} s, at most {most:.0f} MB"


@load
def journal_load(folder, model):
    """A journal of 200,000 evaluations."""
    found = journal(folder)
    return (
        f"journal of 200,000 evaluations ({found['megabytes']:.0f} MB), CPU seconds: write {found['write']:.0f} s, resume "
        f"{found['read'] + found['play']:.0f} s ({found['read']:.0f} s to read and check it, {found['play']:.0f} s to play it "
        f"to fresh optimizers), process of {psutil.Process().memory_info().rss / 1e6:.0f} MB"
    )


@load
def memory_load(folder, model):
    """5,000 evaluations."""
    found = memory(folder / "out", model)
    return f"memory over 5,000 evaluations: {', '.join(f'{x:.0f}' for x in found)} MB"


def main():
    """Run the measurements that the command line names, all by default."""
    for name in sys.argv[1:] or list(LOADS):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            print(LOADS[name](folder, tiny_model(folder / "models")), flush=True)


if __name__ == "__main__":
    main()
