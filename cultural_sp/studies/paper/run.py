"""Reproduce the paper: the plan, the runs that are missing, then every artefact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import yaml
from hydra import compose

from cultural_sp.config.compose import build_config
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import PaperConfig
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.runs.folder import RunFolder
from cultural_sp.utils.files import write_text


def runs(config: PaperConfig) -> list[AlignConfig]:
    """The runs, those of a seed after each other, since they share random search.

    Raises:
        ValueError: in one line, if an override isn't allowed.
    """
    found = []
    for seed in config.seeds:
        for region in config.regions:
            own = [f"region={region}", f"seed={seed}", f"name={config.name}"]
            run = compose("align", overrides=[*config.settings, *config.overrides, *own])
            run.output_dir = config.output_dir
            found.append(build_config(run, AlignConfig))
    return found


def reproduce(config: PaperConfig, align: Callable[[AlignConfig], None], *, leads: bool) -> Path:
    """Do what is missing; returns the folder of the artefacts.

    Args:
        config: the reproduction.
        align: does one run, in every process that was started.
        leads: whether this process prints and writes.

    Raises:
        ValueError: in one line, for bad input and for what a run refuses.
    """
    configs = runs(config)
    if leads:
        print(plan(config, configs), flush=True)
    if config.dry_run:
        return config.folder
    for number, run in enumerate(configs, 1):
        if leads and not RunFolder(run).finished:
            print(f"\nrun {number} of {len(configs)}: {run.region.code.upper()} seed {run.seed}", flush=True)
        align(run)
    if leads:
        from cultural_sp.studies.paper.artefacts import ARTEFACTS
        from cultural_sp.studies.paper.runs import PROFILE_FILE, Runs

        there = [str(RunFolder(run).path.relative_to(config.folder)) for run in configs]
        write_text(config.folder / PROFILE_FILE, yaml.safe_dump({**asdict(config), "runs": there}, sort_keys=False))
        grid = Runs.of(config.folder)
        for write in ARTEFACTS.values():
            write(grid, config.folder)
        print((config.folder / "table_1.md").read_text(encoding="utf-8"))
    return config.folder


def plan(config: PaperConfig, configs: list[AlignConfig]) -> str:
    """What is going to be done and how long it takes, measured on this machine.

    Raises:
        ValueError: in one line, if the model can't be loaded, unless the plan is all that is asked for.
    """
    from cultural_sp.studies.paper.plan import described, measured_rate, weightless, work_left

    head = f"profile {config.name} -> {config.folder}"
    if all(RunFolder(run).finished for run in configs):
        return f"{head}\nall {len(configs)} runs are finished"
    first = configs[0]
    try:
        lm = PROCESS_CACHE.model(first.model, load_model)
    except ValueError:
        if not config.dry_run or config.geometry is None:
            raise
        lm = weightless(first, config.geometry)
        return f"{head}\n{described(configs, work_left(configs, lm, lenient=True), lm, None)}"
    work = work_left(configs, lm)
    return f"{head}\n{described(configs, work, lm, measured_rate(first, lm, PROCESS_CACHE))}"
