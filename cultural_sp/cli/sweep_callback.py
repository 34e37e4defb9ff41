"""Hydra's hooks around a sweep: they record the state of every job, and print the summary in the end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from cultural_sp.cli.sweep import STOPPED, Outcome, Sweep
from cultural_sp.cli.sweep_folders import refuse_shared_folders
from cultural_sp.cli.sweep_summary import report
from cultural_sp.config.compose import typed_overrides
from cultural_sp.config.error_messages import BAD_INPUT
from cultural_sp.config.overrides import refuse_lists
from cultural_sp.reporting.wandb_tracking.agent import leave_agent
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.processes import first_process
from cultural_sp.utils.terminal import show


class SweepRefused(BaseException):
    """The command line of a sweep is bad. It is no ``Exception``: Hydra would turn one into a warning, and start the jobs."""

    def __init__(self, error: Exception) -> None:
        """Refused because of this error."""
        super().__init__(str(error))
        self.error = error


class SweepCallback(Callback):
    """The callback that ``conf/program.yaml`` names. Without ``--multirun`` it does nothing.

    Hydra makes one in the process that starts a sweep; a launcher sends a copy to every process that runs a job. Hydra turns
    an exception of a hook into a warning, so the hooks keep theirs, and :func:`summary_after_failure` reports them.
    """

    current: ClassVar[SweepCallback | None] = None
    """The callback of the sweep that this process starts, or of the job that it runs."""

    def __init__(self) -> None:
        """No sweep yet."""
        self.sweep: Sweep | None = None
        self.errors: list[str] = []
        """Errors of the summary, and of jobs in it; they are printed already."""
        self.failure: Exception | None = None
        """An unexpected exception of the last hook."""
        self._outcome: Outcome | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the jobs and start the sweep; Hydra calls this before it makes the launcher.

        Raises:
            SweepRefused: if no job may start.
        """
        if GlobalHydra.instance().is_initialized():  # or it couldn't compose the jobs either
            try:
                refuse_lists(typed_overrides(config.hydra))
                refuse_shared_folders(config)
            except BAD_INPUT as error:
                raise SweepRefused(error) from error
        if first_process():
            leave_agent("the jobs of a sweep")  # which may run in other processes, that inherit the environment
            self.sweep = Sweep(config)
            self.sweep.start()
            SweepCallback.current = self

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Record that a job runs."""
        SweepCallback.current = self
        if self.sweep is not None:
            self._outcome = Outcome.of_job(config)
            self._record()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Record the end of a job."""
        if self._outcome is not None:
            self._outcome.end(job_return._return_value)  # the property raises a failed job's exception
            self._record()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the summary of a sweep whose jobs have all ended."""
        try:
            self.summarize(whole=True)
        except Exception as error:
            self.failure = error

    def stop(self) -> None:
        """Record that a signal stops the job; Hydra calls no hook then."""
        if self._outcome is not None:
            self._outcome.state = STOPPED
            self._record()

    def summarize(self, *, whole: bool) -> None:
        """Print the summary of the sweep, if there is one; ``whole`` if its jobs have all ended."""
        if self.sweep is not None:
            self.errors += report(self.sweep, whole=whole)

    def _record(self) -> None:
        assert self.sweep is not None
        assert self._outcome is not None
        try:
            self.sweep.record(self._outcome)
        except ValueError as error:
            self.errors.append(str(error))
            show(f"error: {error}", error=True)


def sweep_title() -> str | None:
    """Return the name of the sweep that the job in this process belongs to; None outside of sweeps."""
    callback = SweepCallback.current
    return None if callback is None or callback.sweep is None else callback.sweep.title


def record_stop() -> None:
    """Record in the sweep, if there is one, that a signal stops the job in this process."""
    _current().stop()


@contextmanager
def summary_after_failure(errors: list[str]) -> Iterator[None]:
    """Print the summary of a sweep that an exception ends: Hydra calls no hook then. Errors of the sweep join ``errors``."""
    SweepCallback.current = None
    try:
        yield
        if (failure := _current().failure) is not None:
            SweepCallback.current = None  # no second attempt at the summary
            raise failure
    except SweepRefused as refused:
        raise refused.error from None
    except Exception as error:
        sweep = _current().sweep
        if isinstance(error, OSError) and sweep and str(error.filename) in _folders_above(sweep.summary):
            with disk_errors(sweep.summary.parent):  # Hydra makes that folder itself
                raise
        if not _is_of_launcher(error):
            _current().summarize(whole=True)
            raise
        errors.append(f"the launcher gave up: {reason_of(error)}")
        show(f"error: {errors[-1]}", error=True)
        _current().summarize(whole=False)
    except BaseException:
        _current().summarize(whole=False)
        raise
    finally:
        errors += _current().errors


def _current() -> SweepCallback:
    return SweepCallback.current or SweepCallback()


def _folders_above(path: Path) -> list[str]:
    return [str(path.parent / "multirun.yaml"), *map(str, path.parents)]


def _is_of_launcher(error: Exception) -> bool:
    """Whether a launcher reports that it lost the process of a job."""
    return isinstance(error, BrokenExecutor) or type(error).__module__.startswith("submitit.")
