"""The wandb tracker. Offline, every start writes a new, complete log; online, it continues after the last step of the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import wandb
import yaml

from cultural_sp.config.groups import JOINT, TrackerConfig
from cultural_sp.reporting.tables import origin
from cultural_sp.reporting.wandb_tracking import report
from cultural_sp.reporting.wandb_tracking.console import error_line, say, sync_command
from cultural_sp.reporting.wandb_tracking.rows import AXES, Rows
from cultural_sp.reporting.wandb_tracking.wandb_start import TrackedRun, start
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.history import RegionHistory
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.runs.result import Result, load_result
from cultural_sp.search.journal import JOURNAL, read_header


class WandbTracker:
    """Follows a run with one wandb run per region. An error in wandb ends the tracking, never the run."""

    def __init__(self, config: TrackerConfig, folder: Path, *, online: bool, live: bool) -> None:
        """Prepare to track the run in ``folder``; nothing is written before :meth:`begin`. ``live``: the run is going on."""
        self._tracker, self._folder = config, folder.absolute()
        self._online, self._live = online, live
        self._started: dict[str, TrackedRun] = {}
        self._rows: dict[str, Rows] = {}

    def begin(self) -> None:
        """Start the wandb runs, or resume the ones whose ids are in the folder."""
        with self._harmless():
            self._config = yaml.safe_load((self._folder / CONFIG).read_text(encoding="utf-8"))
            header = read_header(self._folder / JOURNAL)
            targets = header["targets"]
            configs = {
                region: self._config | {"journal": header, "objective": {"region": region, "target": target}}
                for region, target in targets.items()
            }
            optimizer = self._config["optimizer"]
            for region in targets:
                history = RegionHistory(region, self._config, header)
                self._rows[region] = Rows(history, optimizer["population"], optimizer["budget"])
            self._started = start(self._tracker, self._folder, configs, online=self._online, live=self._live)
            for started in self._started.values():
                for prefix, axis in AXES.items():
                    started.run.define_metric(axis, hidden=True)
                    started.run.define_metric(f"{prefix}/*", step_metric=axis)

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """Log a row per record; those of a selection are left out."""
        rows = [record for record in records if record["search"] in SEARCHES]
        with self._harmless():
            for region, started in self._started.items():
                for record in rows:
                    _log(started, *self._rows[region].row(record))

    def finish(self) -> None:
        """Log tables, figures, summary and soft prompt of each region with a result."""
        with self._harmless():
            for region, started in self._started.items():
                folder = self._folder / region if self._config["region"]["code"] == JOINT else self._folder
                if (folder / RESULT).is_file():
                    self._conclude(started, folder, load_result(folder / RESULT))

    def _conclude(self, started: TrackedRun, folder: Path, result: Result) -> None:
        run = started.run
        end: dict[str, Any] = {
            name: wandb.Table(columns=columns, data=rows)
            for name, (columns, rows) in (("answers", report.answers(result)), ("scores", report.scores(result)))
        }
        for figure in sorted((folder / "figures").glob("*.png")):
            end[f"figures/{figure.stem}"] = wandb.Image(str(figure))
        _log(started, 2 * result.evaluations, end)
        run.summary.update(report.summary_of(result, self._config["readout"]["kind"]))
        run.notes = "\n".join(origin(result))
        metadata = {"region": asdict(result.region), "model": result.model, "note": result.note}
        prompt = wandb.Artifact(f"soft-prompt-{run.id}", "soft-prompt", metadata=metadata)
        # Immutable: read from where they are when they are uploaded, rather than copied into the user's cache.
        for file in [*sorted((folder / "soft_prompt").iterdir()), *sorted(folder.glob("*.csv"))]:
            prompt.add_file(str(file), policy="immutable")
        run.log_artifact(prompt)

    def close(self, failed: bool) -> None:
        """End the wandb runs. Waits for the rest of an upload, up to a time limit."""
        with self._harmless():
            if self._started:
                try:
                    self._end(int(failed))
                except TimeoutError:
                    say(f"the upload isn't complete; once the run is finished: {sync_command(self._folder)}")

    def _end(self, exit_code: int) -> None:
        runs = [started.run for started in self._started.values()]
        self._started = {}
        with ThreadPoolExecutor(len(runs)) as pool:  # they wait for the same server
            list(pool.map(lambda run: run.finish(exit_code=exit_code), runs))

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Turn an error in the block into the end of the tracking, with a message."""
        try:
            yield
        except Exception as error:
            with suppress(Exception):  # what is logged should be kept, but nothing more can be said
                if self._started:
                    self._end(1)
            with suppress(Exception):  # if wandb's own process is what failed, the next run of a sweep needs another
                wandb.teardown()
            self._started = {}
            say(f"tracking ends ({error_line(error)}); once the run is finished: {sync_command(self._folder)}")


def _log(started: TrackedRun, step: int, row: dict[str, Any]) -> None:
    if step >= started.first:
        started.run.log(row, step=step)
