"""The folder of a run. Its path depends on the config alone, and only one process at a time writes into it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.checkpoint import ResponseCache, cached_validity
from cultural_sp.runs.inputs import joint_codes
from cultural_sp.runs.provenance import config_hash, json_hash, result_settings, search_settings
from cultural_sp.runs.result import KnowledgeScore, Result, ScoreRow, load_result
from cultural_sp.runs.validity import Validity
from cultural_sp.search.journal import JOURNAL, Journal
from cultural_sp.utils.diff import differences
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.files import REPLACE_HINT, disk_errors, write_text

RESULT, CONFIG = "result.json", "config.yaml"
SCORES, VALIDITY, KNOWLEDGE = "scores.jsonl", "validity.json", "knowledge.jsonl"
"""Files of responses that a resumed run doesn't ask for again."""
LOCK, HOLDER = ".lock", ".holder"
"""The lock of the writing process, and a file that names this process."""


class RunFolder:
    """``output_dir/name/region[-vintage]/model/seed-N``; the region of a joint run is ``joint``."""

    def __init__(self, config: AlignConfig) -> None:
        """Derive the path from the config. Nothing is read or written."""
        self.config = config
        region = config.region.code.lower() + (f"-{config.region.vintage}" if config.region.vintage else "")
        self.path = Path(config.output_dir) / config.name / region / config.model.slug / f"seed-{config.seed}"

    @property
    def regions(self) -> dict[str, Path]:
        """Region code -> folder of its results: the run folder, or in a joint run a subfolder per region.

        Raises:
            ValueError: if the regions of a joint run can't be determined.
        """
        if self.config.region.codes is None:
            return {self.config.region.code.lower(): self.path}
        return {code: self.path / code for code in joint_codes(self.config)}

    @property
    def finished(self) -> bool:
        """Whether every region has a result; its config isn't compared."""
        return all((folder / RESULT).is_file() for folder in self.regions.values())

    def load_finished(self) -> list[Result] | None:
        """Return the results if the folder holds this run, finished; None if there is work to do.

        Raises:
            ValueError: if the folder holds a run with another config and ``overwrite`` is off.
        """
        config, folder = self.config, self.path
        if config.overwrite:
            return None
        files = [region / RESULT for region in self.regions.values()]
        try:
            results = [load_result(file) for file in files if file.is_file()]
        except ValueError as error:
            raise ValueError(f"{error}; {REPLACE_HINT}") from error
        finished = len(results) == len(files)
        differ = self._config_differences(result_settings if finished else search_settings)
        for result in results if finished else []:  # config.yaml may have been edited or lost
            saved = {"config_hash": result.provenance.get("config_hash")}
            differ = differ or differences(saved, {"config_hash": config_hash(config)})
        if differ:
            raise ValueError(f"run folder {folder} holds a run with another config: {differ}; {REPLACE_HINT}")
        return results if finished else None

    def _config_differences(self, settings: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
        """Differences between some settings of the saved config and of this one; empty if no config is saved."""
        path = self.path / CONFIG
        if not path.is_file():
            return ""
        try:
            saved = settings(_container(OmegaConf.load(path)))
        except (
            OSError,
            ValueError,
            yaml.YAMLError,
            OmegaConfBaseException,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise ValueError(f"{path} is no config of this program ({reason_of(error)}); {REPLACE_HINT}") from error
        return differences(saved, settings(_container(OmegaConf.structured(self.config))))

    @contextmanager
    def lock(self) -> Iterator[Path]:
        """Keep other processes from writing the folder during the block; a folder that stays empty is removed.

        The operating system frees the lock when a process dies, however it dies.

        Raises:
            ValueError: if another process holds the lock or the folder can't be made.
        """
        folder = self.path
        lock = FileLock(folder / LOCK, timeout=0)
        created = [path for path in (folder, *folder.parents) if not path.exists()]
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
                for path in created:
                    path.rmdir()
            lock.release()

    def clear(self) -> None:
        """Delete everything in the folder except its lock. Call it only under :meth:`lock`.

        Raises:
            ValueError: if something can't be deleted.
        """
        with disk_errors(self.path):
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name not in (LOCK, HOLDER):
                    path.unlink()

    def open_journal(self, header: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> Journal:
        """Open or begin the journal and write the config. Call it only under :meth:`lock`.

        Args:
            header: see :class:`Journal`.
            measure: see :class:`Journal`.

        Raises:
            ValueError: if the journal is damaged or belongs to another run, or if the disk refuses a write.
        """
        if self.config.overwrite:
            self.clear()
        if not (self.path / JOURNAL).exists():  # an interrupted overwrite left responses of another run
            with disk_errors(self.path):
                for name in (SCORES, VALIDITY, KNOWLEDGE):
                    (self.path / name).unlink(missing_ok=True)
        journal = Journal(self.path / JOURNAL, header, measure)
        write_text(self.path / CONFIG, OmegaConf.to_yaml(OmegaConf.structured(self.config)))
        return journal

    def score_responses(self) -> ResponseCache[ScoreRow]:
        """Return the survey answers of the final methods so far, as this config reads them."""
        return ResponseCache(self.path / SCORES, ScoreRow, json_hash(asdict(self.config.readout)))

    def knowledge_responses(self, questions: str) -> ResponseCache[KnowledgeScore]:
        """Return the answers of the final methods so far to the knowledge questions with this fingerprint."""
        return ResponseCache(self.path / KNOWLEDGE, KnowledgeScore, questions)

    def cached_validity(self, check: Callable[[], Validity]) -> Validity:
        """Return the saved validity check, or the outcome of ``check``, which is saved."""
        return cached_validity(self.path / VALIDITY, check)


def result_files(folder: Path) -> list[Path]:
    """Return the result files of a run folder: its own one, or one per region of a joint run."""
    return [folder / RESULT] if (folder / RESULT).is_file() else sorted(folder.glob(f"*/{RESULT}"))


def finished_runs(folder: Path) -> list[Path]:
    """Return the run folders in and below ``folder`` with a result. For a joint run the result of one region is enough."""
    parents = {file.parent for file in folder.rglob(RESULT)}
    return sorted({path.parent if (path.parent / CONFIG).is_file() else path for path in parents})


def _container(config: Any) -> Any:
    return OmegaConf.to_container(config, resolve=True)
