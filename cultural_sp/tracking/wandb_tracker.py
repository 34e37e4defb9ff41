"""One wandb run per run folder. Offline every start writes the whole log anew; online a run goes on where the server stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import wandb
import yaml

from cultural_sp.config import TrackerConfig
from cultural_sp.files import write_text
from cultural_sp.results import load_result
from cultural_sp.run_folder import CONFIG, RESULT
from cultural_sp.search.journal import read_header
from cultural_sp.tracking import report
from cultural_sp.tracking.rows import AXES, Rows
from cultural_sp.tracking.wandb_start import again, line, say, start


class WandbTracker:
    """Follows a run with wandb; whatever fails there ends the tracking and nothing else."""

    def __init__(self, config: TrackerConfig, folder: Path, *, online: bool, live: bool) -> None:
        """For the run in ``folder``; nothing is written before :meth:`begin`. ``live`` if the run goes on meanwhile."""
        self._config, self._folder = config, folder.absolute()
        self._online, self._live = online, live
        self._run: wandb.Run | None = None

    def begin(self) -> None:
        """Start the wandb run, or go on with it if the folder knows its id."""
        with self._harmless():
            self._given = yaml.safe_load((self._folder / CONFIG).read_text(encoding="utf-8"))
            header = read_header(self._folder / "evaluations.jsonl")
            optimizer = self._given["optimizer"]
            self._rows = Rows(optimizer["population"], optimizer["budget"], header["target"])
            shown = self._given | {"journal": header}
            self._run, self._next = start(self._config, self._folder, shown, online=self._online, live=self._live)
            for prefix, axis in AXES.items():
                self._run.define_metric(axis, hidden=True)
                self._run.define_metric(f"{prefix}/*", step_metric=axis)

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """Log a row per record."""
        with self._harmless():
            for record in records if self._run is not None else ():
                self._log(*self._rows.row(record))

    def finish(self) -> None:
        """Log tables, figures, summary and soft prompt."""
        with self._harmless():
            if self._run is None:
                return
            result = load_result(self._folder / RESULT)
            end: dict[str, Any] = {
                name: wandb.Table(columns=columns, data=rows)
                for name, (columns, rows) in (("answers", report.answers(result)), ("scores", report.scores(result)))
            }
            for figure in sorted((self._folder / "figures").glob("*.png")):
                end[f"figures/{figure.stem}"] = wandb.Image(str(figure))
            self._log(2 * result.evaluations, end)
            self._run.summary.update(report.summary_of(result, self._given["readout"]["kind"]))
            card = self._folder / "wandb" / "card.md"
            write_text(card, report.card(result, self._given))
            about = {"region": result.region, "model": result.model}
            prompt = wandb.Artifact(f"soft-prompt-{self._run.id}", "soft-prompt", metadata=about)
            # Immutable: read from where they are when they are uploaded, rather than copied into the user's cache.
            prompt.add_file(str(card), name="README.md", policy="immutable")
            for file in sorted((self._folder / "soft_prompt").iterdir()):
                prompt.add_file(str(file), policy="immutable")
            self._run.log_artifact(prompt)

    def close(self, failed: bool) -> None:
        """End the wandb run; waits for the rest of an upload, but not for ever."""
        with self._harmless():
            if self._run is not None:
                run, self._run = self._run, None
                try:
                    run.finish(exit_code=int(failed))
                except TimeoutError:
                    say(f"the upload isn't complete; once the run is finished: {again(self._folder)}")

    def _log(self, step: int, row: dict[str, Any]) -> None:
        if self._run is not None and step >= self._next:
            self._run.log(row, step=step)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Whatever fails in the block ends the tracking, with one line."""
        try:
            yield
        except Exception as error:
            run, self._run = self._run, None
            with suppress(Exception):  # what is logged should be kept, but nothing more can be said
                if run is not None:
                    run.finish(exit_code=1)
            say(f"tracking ends ({line(error)}); once the run is finished: {again(self._folder)}")
