"""The folder of a run: derived from what the run is, never from the clock; one process at a time writes it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.inputs import joint_codes
from cultural_sp.runs.provenance import config_hash, content
from cultural_sp.runs.result import Result, load_result
from cultural_sp.utils.diff import differences
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.files import WAY_OUT, disk_errors, write_text

RESULT = "result.json"
CONFIG = "config.yaml"
LOCK, HOLDER = ".lock", ".holder"


def run_folder(config: AlignConfig) -> Path:
    """``output_dir/name/region[-vintage]/model/seed-N``; the region of a joint run is ``joint``."""
    region = config.region.code.lower() + (f"-{config.region.vintage}" if config.region.vintage else "")
    return Path(config.output_dir) / config.name / region / config.model.slug / f"seed-{config.seed}"


def region_folders(config: AlignConfig) -> dict[str, Path]:
    """Region code -> where its results go: the run folder, or in a joint run a folder of the region's own in it.

    Raises:
        ValueError: in one line, if the regions of a joint run can't be found out.
    """
    folder = run_folder(config)
    if config.region.codes is None:
        return {config.region.code.lower(): folder}
    return {code: folder / code for code in joint_codes(config)}


def result_files(folder: Path) -> list[Path]:
    """The results in a run folder: its own, or those of the regions of a joint run."""
    return [folder / RESULT] if (folder / RESULT).is_file() else sorted(folder.glob(f"*/{RESULT}"))


def finished_runs(folder: Path) -> list[Path]:
    """The run folders in ``folder`` and below that hold a result, of a joint run that of at least one region."""
    found = {file.parent for file in folder.rglob(RESULT)}
    return sorted({there.parent if (there.parent / CONFIG).is_file() else there for there in found})


def load_finished(config: AlignConfig) -> list[Result] | None:
    """Return the results if the run folder already holds this very run, finished; None if there is work to do.

    Raises:
        ValueError: in one line, if it holds a run with another config and ``overwrite`` is off.
    """
    folder = run_folder(config)
    if config.overwrite:
        return None
    files = [there / RESULT for there in region_folders(config).values()]
    try:
        results = [load_result(file) for file in files if file.is_file()]
    except ValueError as error:
        raise ValueError(f"{error}; {WAY_OUT}") from error
    differ = _differences(folder / CONFIG, config)
    for result in results:  # config.yaml may have been edited or lost
        there = {"config_hash": result.provenance.get("config_hash")}
        differ = differ or differences(there, {"config_hash": config_hash(config)})
    if differ:
        raise ValueError(f"run folder {folder} holds a run with another config: {differ}; {WAY_OUT}")
    if len(results) < len(files):
        return None
    return results


@contextmanager
def lock_run_folder(config: AlignConfig) -> Iterator[Path]:
    """Keep every other process from writing the run folder during the block; a folder left without content is removed.

    The operating system frees the lock when a process dies, however it dies.

    Raises:
        ValueError: in one line, if another process holds the folder or it can't be made.
    """
    folder = run_folder(config)
    lock = FileLock(folder / LOCK, timeout=0)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            holder = ""
            with suppress(OSError):
                holder = f" ({(folder / HOLDER).read_text(encoding='utf-8')})"
            raise ValueError(
                f"run folder {folder} is being written by another process{holder}; wait for it, or choose another name="
            ) from None
    try:
        write_text(folder / HOLDER, f"process {os.getpid()} on {platform.node()}")
        yield folder
    finally:
        with suppress(OSError):  # the first folder with content ends it
            (folder / HOLDER).unlink(missing_ok=True)
            if [path.name for path in folder.iterdir()] == [LOCK]:
                (folder / LOCK).unlink()
            for path in made:
                path.rmdir()
        lock.release()


def clear_run_folder(folder: Path) -> None:
    """Delete everything in a run folder but its lock. Only under :func:`lock_run_folder`.

    Raises:
        ValueError: in one line, if something can't be deleted.
    """
    with disk_errors(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in (LOCK, HOLDER):
                path.unlink()


def write_config(config: AlignConfig) -> None:
    """Write the resolved config into the run folder.

    Raises:
        ValueError: in one line, if it can't be written.
    """
    write_text(run_folder(config) / CONFIG, OmegaConf.to_yaml(OmegaConf.structured(config)))


def _differences(path: Path, config: AlignConfig) -> str:
    """Where the config in a file differs from ``config``; nothing if there is no file."""
    if not path.is_file():
        return ""
    try:
        there = content(_plain(OmegaConf.load(path)))
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no config of this program ({reason_of(error)}); {WAY_OUT}") from error
    return differences(there, content(_plain(OmegaConf.structured(config))))


def _plain(config: Any) -> Any:
    return OmegaConf.to_container(config, resolve=True)
