"""Reproduces the paper: prints the plan, does the missing runs, then writes every artefact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import yaml

from cultural_sp.config.compose import build_config
from cultural_sp.config.overrides import compose_run
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import PaperConfig
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import with_region_codes
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import write_text
from cultural_sp.utils.terminal import show

CLAIMS_INSTRUMENT = "vsm13"
"""The claims score its items again; its MAS weights may differ."""


def run_configs(config: PaperConfig) -> list[AlignConfig]:
    """Return the configs of the runs. Runs of one seed follow each other, as they share random search.

    Raises:
        ValueError: if an override isn't allowed, or the runs ask other items than the claims are about.
    """
    configs: list[AlignConfig] = []
    for seed in config.seeds:
        for region in config.regions:
            place = [f"region={region}", f"seed={seed}", f"name={config.name}"]
            run = compose_run([*config.settings, *config.overrides, *place])
            run.output_dir = config.output_dir
            configs.append(with_region_codes(build_config(run, AlignConfig)))
    instrument = configs[0].survey.instrument  # all runs have the same
    if set(load_survey(instrument).item_ids) != set(load_survey(CLAIMS_INSTRUMENT).item_ids):
        raise ValueError(
            f"survey.instrument={instrument} has other items than {CLAIMS_INSTRUMENT}, which the claims are about; leave it out"
        )
    return configs


def reproduce(config: PaperConfig, align: Callable[[AlignConfig], None], *, leads: bool) -> Path:
    """Do the missing runs, write the artefacts, and return their folder.

    Args:
        config: the reproduction.
        align: does one run; every process calls it.
        leads: whether this process prints and writes.

    Raises:
        ValueError: for bad input, and if a run raises it.
    """
    configs = run_configs(config)
    if leads:
        show(plan(config, configs))
    if config.dry_run:
        return config.folder
    for number, run in enumerate(configs, 1):
        if leads and not RunFolder(run).finished:
            show(f"\nrun {number} of {len(configs)}: {run.region.code.upper()} seed {run.seed}")
        align(run)
    if leads:
        from cultural_sp.studies.paper.artefacts import ARTEFACTS
        from cultural_sp.studies.paper.runs import PROFILE_FILE, Runs

        paths = [str(RunFolder(run).path.relative_to(config.folder)) for run in configs]
        write_text(config.folder / PROFILE_FILE, yaml.safe_dump({**asdict(config), "runs": paths}, sort_keys=False))
        runs = Runs.of(config.folder)
        for write in ARTEFACTS.values():
            write(runs, config.folder)
        show((config.folder / "table_1.md").read_text(encoding="utf-8"))
    return config.folder


def plan(config: PaperConfig, configs: list[AlignConfig]) -> str:
    """Return the plan: the work left and how long it takes, measured on this machine.

    A dry run with a geometry does without the model's weights.

    Raises:
        ValueError: if the model can't be loaded.
    """
    from cultural_sp.studies.paper.plan import measured_rate, model_without_weights, plan_text, remaining_work

    head = f"profile {config.name} -> {config.folder}"
    if all(RunFolder(run).finished for run in configs):
        return f"{head}\nall {len(configs)} runs are finished"
    first = configs[0]
    try:
        lm = PROCESS_CACHE.model(first.model, load_model)
    except ValueError:
        if not config.dry_run or config.geometry is None:
            raise
        lm = model_without_weights(first, config.geometry)
        return f"{head}\n{plan_text(configs, remaining_work(configs, lm, lenient=True), lm, None)}"
    work = remaining_work(configs, lm)
    return f"{head}\n{plan_text(configs, work, lm, measured_rate(first, lm, PROCESS_CACHE))}"
