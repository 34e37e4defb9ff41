"""Starting the wandb run of a run folder, online if that can be, else offline."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import wandb

from cultural_sp.config import ModelConfig, TrackerConfig
from cultural_sp.files import write_text

INIT_SECONDS, FINISH_SECONDS = (
    30,
    120,
)  # how long a run waits for a server that doesn't answer, before and after its work


def start(
    config: TrackerConfig, folder: Path, shown: dict[str, Any], *, online: bool, live: bool
) -> tuple[wandb.Run, int]:
    """The wandb run of ``folder`` and the first step that it lacks: that of an earlier start if the folder knows one.

    Args:
        config: project, entity and group.
        folder: the run folder; wandb's files go into ``wandb`` in there.
        shown: the resolved config of the run.
        online: whether to try that first.
        live: whether the machine is worth watching meanwhile.
    """
    place = folder / "wandb"
    place.mkdir(exist_ok=True)
    os.environ["WANDB_DATA_DIR"] = str(place)  # where tables wait for their upload
    file = place / "run_id"
    if not file.exists():
        write_text(file, secrets.token_hex(4))
    run_id = file.read_text(encoding="utf-8").strip()
    logs = list(place.glob(f"offline-run-*-{run_id}"))
    uploaded = [log for log in logs if any(log.glob("*.sync*"))]
    known = bool(uploaded) or any(place.glob(f"run-*-{run_id}"))  # to the server, as far as this folder can tell
    if online:
        try:
            if not wandb.login(prompt=False, verify=False):
                raise ValueError("nobody is logged in here; `wandb login` does that")
            run = _init(config, folder, run_id, shown, "online", live)
            say(f"{run.url}")
            return run, run.starting_step
        except Exception as error:
            say(f"can't go online ({line(error)}); going on offline")
            wandb.teardown()  # or the id would count as in use
    for log in logs:
        if log not in uploaded:  # the new one will have all that it has
            shutil.rmtree(log)
    run = _init(config, folder, run_id, shown, "offline", live)
    # `wandb sync` appends: rows that the server already has would be there twice.
    command = again(folder) if known else f"wandb sync {os.path.relpath(run.settings.sync_dir)}"
    say(f"offline; upload with: {command}")
    return run, 0


def again(folder: Path) -> str:
    """The command that brings a finished run into wandb, whatever of it is there already."""
    return f"python experiments/sync_wandb.py {os.path.relpath(folder)}"


def _init(config: TrackerConfig, folder: Path, run_id: str, shown: dict[str, Any], mode: str, live: bool) -> wandb.Run:
    model, region = ModelConfig(shown["model"]["name_or_path"]).slug, shown["region"]["code"].lower()
    survey, optimizer = Path(shown["survey"]["instrument"]).stem, shown["optimizer"]["kind"]
    tags = (f"model:{model}", f"region:{region}", f"survey:{survey}", f"optimizer:{optimizer}")
    return wandb.init(
        project=config.project,
        entity=config.entity,
        group=config.group or shown["name"],
        name=f"{region} {model} seed {shown['seed']}",
        job_type="align",
        tags=[tag[:64] for tag in tags],
        config=shown,
        allow_val_change=True,
        dir=str(folder),
        id=run_id,
        mode=mode,  # type: ignore[arg-type]
        resume="allow"
        if mode == "online"
        else None,  # uploading a resumed offline log would shift the steps of a whole one
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
        ),
    )


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def say(text: str) -> None:
    """Print a line about wandb."""
    print(f"wandb: {text}", flush=True)
