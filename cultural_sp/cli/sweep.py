"""What became of every job of a sweep, in whichever process it ran: a file per job in a folder that all of them know."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cultural_sp.utils.files import write_text

NOW, BEFORE, FAILED = "finished now", "was finished", "failed"
STOPPED, RUNNING = "stopped", "not finished"  # Slurm's jobs run on when the sweep that sent them is stopped


@dataclass(frozen=True)
class JobResult:
    """What a job that leaves a run folder returns."""

    folder: Path
    before: bool
    """Whether the run was finished before the job began."""


@dataclass
class Outcome:
    """One job of a sweep."""

    job: int
    """Its number, in the order of the command line."""
    overrides: list[str]
    """Those of the command line, with one value each."""
    region: str | None
    seed: int | None
    model: str | None
    readout: str | None
    state: str = RUNNING
    error: str | None = None
    """One line, if it failed."""
    folder: str | None = None
    """Its run folder, if it has one and is finished."""

    def done(self, done: JobResult | None) -> None:
        """The job ended well."""
        self.state = BEFORE if done is not None and done.before else NOW
        self.folder = None if done is None else str(done.folder.absolute())

    def failed(self, error: str) -> None:
        """The job ended with an error."""
        self.state, self.error = FAILED, error


class Sweep:
    """A sweep on its way. Jobs get a copy in their process, so only files can tell what became of them."""

    def __init__(self, program: str) -> None:
        """Not a sweep, as long as Hydra doesn't start one; ``program`` keeps summaries of several programs apart."""
        self.program = program
        self.summary: Path | None = None
        """The CSV file that a sweep ends with."""
        self._jobs = Path()

    @property
    def title(self) -> str | None:
        """What tells this sweep from others, the name of its summary; None if there is no sweep."""
        return None if self.summary is None else self.summary.stem

    def start(self, config: DictConfig) -> None:
        """Hydra starts a sweep with this config, which has the launcher's settings and the overrides as they were typed."""
        typed = "\n".join([self.program, *sorted(_typed(config.hydra))])
        digest = hashlib.sha256(typed.encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", str(_value(config, "name")))
        self.summary = Path(config.hydra.sweep.dir).absolute() / f"{name}-{digest}.csv"  # the same for the same sweep
        self._jobs = self.summary.with_suffix(f".{uuid.uuid4().hex[:8]}")  # another one for every start of it
        with suppress(OSError):  # Hydra makes the folder around it next, and says what is wrong there
            self._jobs.mkdir(parents=True)

    @contextmanager
    def job(self, config: DictConfig) -> Iterator[Outcome]:
        """The outcome of the job in the block, for it to be completed there and known to the sweep afterwards.

        Raises:
            ValueError: in one line, if it can't be written.
        """
        hydra = HydraConfig.get()
        outcome = Outcome(
            job=hydra.job.num if self.summary else 0,
            overrides=_typed(hydra),
            region=_value(config, "region.code"),
            seed=_value(config, "seed"),
            model=_value(config, "model.name_or_path"),
            readout=_value(config, "readout.kind"),
        )
        self._write(outcome)
        try:
            yield outcome
        except BaseException as error:
            if isinstance(error, Exception):
                outcome.failed(" ".join(f"{type(error).__name__}: {error}".split()))
            else:
                outcome.state = STOPPED
            with suppress(ValueError):  # a full disk must not hide what happened
                self._write(outcome)
            raise
        self._write(outcome)

    def _write(self, outcome: Outcome) -> None:
        if self.summary is not None and self._jobs.is_dir():  # else nobody waits for it any more
            write_text(self._jobs / f"{outcome.job}.json", json.dumps(asdict(outcome)))

    def outcomes(self, *, whole: bool) -> list[Outcome]:
        """Those of all jobs that began, in order; if the sweep is whole, one that came to no end has died."""
        found = [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in self._jobs.glob("*.json")]
        for outcome in found:
            if whole and outcome.state in (RUNNING, STOPPED):
                outcome.failed("its process ended before the job did; the same command goes on from what is saved")
        return sorted(found, key=lambda outcome: outcome.job)

    def delete_job_files(self) -> None:
        """Delete the files of the jobs."""
        shutil.rmtree(self._jobs, ignore_errors=True)


def _typed(hydra: Any) -> list[str]:
    """The overrides of the command line as they were typed, with references to other keys unresolved."""
    plain: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(override) for override in plain]


def _value(config: DictConfig, key: str) -> Any:
    """A value of a composed config; None where it can't be had, which the job itself will complain about."""
    try:
        return OmegaConf.select(config, key)
    except (OmegaConfBaseException, AttributeError):  # the latter if a whole group was taken out
        return None


class SweepCallback(Callback):
    """Hydra's word that a sweep starts, passed on to the program; ``conf/config.yaml`` names it."""

    sweep: Sweep | None = None
    """The one that this process may start."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called in the process that starts the sweep, before its launcher is there."""
        if SweepCallback.sweep is not None:
            SweepCallback.sweep.start(config)
