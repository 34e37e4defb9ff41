"""The state of every job of a sweep. Each job has a file, because launchers run jobs in other processes and on other machines."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.config.compose import typed_overrides
from cultural_sp.utils.files import write_text

NOW, BEFORE, FAILED = "finished now", "was finished", "failed"
STOPPED, RUNNING = "stopped", "not finished"  # jobs in Slurm run on when the process that submitted them is stopped
LOST = "its process ended before the job did; the same command goes on from what is saved"


@dataclass(frozen=True)
class JobResult:
    """The value that a job with a run folder returns."""

    folder: Path
    finished_before: bool
    """Whether the run was finished before the job began."""


@dataclass(frozen=True)
class JobError:
    """The value that a job with bad input returns; Hydra would add a line to an exception."""

    message: str


@dataclass
class Outcome:
    """The state of one job of a sweep."""

    job: int
    """Its number, in the order of the command line."""
    overrides: list[str]
    """The overrides of the command line, each with one value."""
    region: str | None
    seed: int | None
    model: str | None
    readout: str | None
    state: str = RUNNING
    error: str | None = None
    """One line, if it failed."""
    folder: str | None = None
    """Its run folder, once it is finished."""

    @classmethod
    def of_job(cls, config: DictConfig) -> Outcome:
        """Return the state of a job that begins with this config."""
        hydra = HydraConfig.get()
        return cls(
            job=hydra.job.num,
            overrides=typed_overrides(hydra),
            region=_value(config, "region.code"),
            seed=_value(config, "seed"),
            model=_value(config, "model.name_or_path"),
            readout=_value(config, "readout.kind"),
        )

    def end(self, returned: Any) -> None:
        """Take over what the job returned, or the exception that ended it."""
        if isinstance(returned, JobError):
            self.state, self.error = FAILED, returned.message
        elif isinstance(returned, Exception):
            self.state, self.error = FAILED, " ".join(f"{type(returned).__name__}: {returned}".split())
        elif isinstance(returned, JobResult):
            self.state = BEFORE if returned.finished_before else NOW
            self.folder = str(returned.folder.absolute())
        else:
            self.state = NOW


class Sweep:
    """The files of a sweep: one per job while it runs, and the summary in the end."""

    def __init__(self, config: DictConfig) -> None:
        """Name the files.

        Args:
            config: of the sweep, with the group ``hydra`` and the overrides as the user typed them.
        """
        typed = "\n".join([config.hydra.job.name, *sorted(typed_overrides(config.hydra))])
        digest = hashlib.sha256(typed.encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", str(_value(config, "name") or config.hydra.job.name))
        self.summary = Path(config.hydra.sweep.dir).absolute() / f"{name}-{digest}.csv"
        """The CSV file at the end; the same for the same command."""
        self.jobs = self.summary.with_suffix(f".{uuid.uuid4().hex[:8]}")
        """The folder of the jobs' files; another one each time the command is started."""

    @property
    def title(self) -> str:
        """The name of the sweep: its ``name`` and a hash of the command."""
        return self.summary.stem

    def start(self) -> None:
        """Make the folder of the jobs' files."""
        with suppress(OSError):  # Hydra makes the folder above it next, and says what is wrong there
            self.jobs.mkdir(parents=True)

    def record(self, outcome: Outcome) -> None:
        """Write the state of a job.

        Raises:
            ValueError: if it can't be written.
        """
        if self.jobs.is_dir():  # a Slurm job may outlive the sweep
            write_text(self.jobs / f"{outcome.job}.json", json.dumps(asdict(outcome)))

    def outcomes(self, *, whole: bool) -> list[Outcome]:
        """Return the state of every job that began, in order. In a whole sweep, a job without an end has lost its process."""
        outcomes = [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in self.jobs.glob("*.json")]
        for outcome in outcomes:
            if whole and outcome.state in (RUNNING, STOPPED):
                outcome.end(JobError(LOST))
        return sorted(outcomes, key=lambda outcome: outcome.job)

    def delete_job_files(self) -> None:
        """Delete the files of the jobs."""
        shutil.rmtree(self.jobs, ignore_errors=True)


def _value(config: DictConfig, key: str) -> Any:
    """A value of a composed config; None if it can't be read, which the job itself will report."""
    try:
        return OmegaConf.select(config, key)
    except (OmegaConfBaseException, AttributeError):  # the latter if the command line took out the whole group
        return None
