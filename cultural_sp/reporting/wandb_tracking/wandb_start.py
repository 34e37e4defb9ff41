"""Starts the wandb runs of a run folder, one for each region: online if possible, else offline."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import wandb
from wandb.sdk.wandb_setup import singleton

from cultural_sp.config.groups import JOINT, ModelConfig, TrackerConfig
from cultural_sp.reporting.wandb_tracking.agent import AgentRun, leave_agent, take_agent_run
from cultural_sp.reporting.wandb_tracking.console import error_line, say, sync_command
from cultural_sp.utils.files import write_text

INIT_SECONDS, FINISH_SECONDS = 30, 120
"""How long a run waits at its start and at its end for a server that doesn't answer."""


@dataclass(frozen=True)
class TrackedRun:
    """The wandb run of a region."""

    run: wandb.Run
    first: int
    """The first step that the server doesn't have."""


def start(
    config: TrackerConfig, folder: Path, configs: Mapping[str, dict[str, Any]], *, online: bool, live: bool
) -> dict[str, TrackedRun]:
    """Start or resume the wandb runs, by region. Either all of them are online or none is.

    Args:
        config: project, entity and group.
        folder: the run folder; wandb's files go into its subfolder ``wandb``.
        configs: region -> config of the wandb run: the resolved config of the run, and more.
        online: whether to try to go online.
        live: whether the run is going on, so that wandb also logs the load of the machine.

    Raises:
        ValueError: if wandb would put all runs of this process into one.
    """
    place = folder / "wandb"
    place.mkdir(exist_ok=True)
    os.environ["WANDB_DATA_DIR"] = str(place)  # where tables wait for their upload
    agent = _agent_run(place, list(configs), live)
    settings = singleton().settings_if_loaded
    if settings is not None and settings.sweep_id:
        raise ValueError(
            "wandb read the variables of its agent before, and gives all runs one id; leave them to this program"
        )
    if agent is not None:
        config = replace(config, project=agent.project or config.project, entity=agent.entity or config.entity)
    ids = {region: _Ids(_run_id(place / f"{region}.id"), region, agent.sweep if agent else None) for region in configs}
    logs = list(place.glob("offline-run-*"))
    uploaded = [log for log in logs if any(log.glob("*.sync*"))]
    known = bool(uploaded) or any(place.glob("run-*"))  # to the server, as far as this folder can tell
    started: dict[str, TrackedRun] = {}
    if online:
        try:
            if not wandb.login(prompt=False, verify=False):
                raise ValueError("nobody is logged in here; `wandb login` does that")
            for region, own in ids.items():
                run = _init(config, folder, own, configs[region], "online", live)
                started[region] = TrackedRun(run, run.starting_step)
            one = next(iter(started.values())).run
            say(f"{one.url}" if len(started) == 1 else f"{len(started)} runs at {one.project_url}")
            return started
        except Exception as error:
            say(f"can't go online ({error_line(error)}); going on offline")
            wandb.teardown()  # or the ids would count as in use
            known = known or bool(started)
    for log in logs:
        if log not in uploaded:  # the new one will have all that it has
            shutil.rmtree(log)
    for region, own in ids.items():
        started[region] = TrackedRun(_init(config, folder, own, configs[region], "offline", live), 0)
    # `wandb sync` appends: rows that the server already has would be there twice.
    say(f"offline; upload with: {sync_command(folder) if known else _upload(started)}")
    return started


@dataclass(frozen=True)
class _Ids:
    """What tells the wandb run of a region from others."""

    run: str
    region: str
    sweep: str | None
    """The wandb sweep that it belongs to."""


def _agent_run(place: Path, regions: Sequence[str], live: bool) -> AgentRun | None:
    """Return the run that a wandb agent expects if the run of this folder can be it; its id is then in the folder."""
    if len(regions) > 1:
        leave_agent("the regions of a joint run")
        return None
    agent, file = take_agent_run(), place / f"{regions[0]}.id"
    if agent is None or not live:
        return None
    if file.exists() and _run_id(file) != agent.id:
        say(f"this run has the id {_run_id(file)} already, so it can't be run {agent.id} of sweep {agent.sweep}")
        return None
    write_text(file, agent.id)
    say(f"run {agent.id} of sweep {agent.sweep}; other runs of this process are outside of the sweep")
    return agent


def _run_id(file: Path) -> str:
    """Return the id of a region's wandb run, which stays the same over all starts."""
    if not file.exists():
        write_text(file, secrets.token_hex(4))
    return file.read_text(encoding="utf-8").strip()


def _upload(started: Mapping[str, TrackedRun]) -> str:
    logs = [Path(os.path.relpath(x.run.settings.sync_dir)) for x in started.values()]
    one = shlex.quote(str(logs[0]))
    return f"wandb sync {one}" if len(logs) == 1 else f"wandb sync {shlex.quote(str(logs[0].parent))}/offline-run-*"


def _init(
    config: TrackerConfig, folder: Path, ids: _Ids, run_config: dict[str, Any], mode: str, live: bool
) -> wandb.Run:
    """Start or resume the wandb run of a region."""
    region = ids.region
    model = ModelConfig(run_config["model"]["name_or_path"], adapter=run_config["model"].get("adapter")).slug
    survey, optimizer = Path(run_config["survey"]["instrument"]).stem, run_config["optimizer"]["kind"]
    tags = (f"model:{model}", f"region:{region}", f"survey:{survey}", f"optimizer:{optimizer}")
    joint = run_config["region"]["code"] == JOINT
    return wandb.init(
        project=config.project,
        entity=config.entity,
        group=config.group or run_config["name"],
        name=f"{region} {model} seed {run_config['seed']}{' joint' if joint else ''}",
        job_type=JOINT if joint else "align",
        tags=[tag[:64] for tag in tags],
        notes=run_config["model"].get("note"),
        config=run_config,
        allow_val_change=True,
        dir=str(folder),
        id=ids.run,
        mode=mode,  # type: ignore[arg-type]
        # Uploading a resumed offline log would shift the steps of a whole one.
        resume="allow" if mode == "online" else None,
        reinit="create_new",
        settings=wandb.Settings(
            console="off",
            disable_git=True,
            disable_code=True,
            silent=True,
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
            x_disable_stats=not live,
            sweep_id=ids.sweep,
            sagemaker_disable=True,  # it would give all runs of a job one id
        ),
    )
