"""Several processes score the candidates of one search. The first process leads: it runs the search and writes every file.

Processes exchange only candidates and scores, a few kilobytes a batch, so messages go through gloo on every machine. The run
fixes which candidates share a forward pass, so results don't depend on the number of processes.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from cultural_sp.config.groups import ModelConfig
from cultural_sp.search.loop import Batch
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.files import RESUME_HINT
from cultural_sp.utils.signals import PeerLostError

T = TypeVar("T")
Score = Callable[[Batch], T]
TIMEOUT = timedelta(days=7)  # workers wait while the leader loads the model, checks validity and writes results


class WorkerGroup:
    """The processes of a run; a run in one process is a group of one."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        """Describe this process: ``rank`` 0 leads, ``size`` is the number of processes."""
        self.rank, self.size = rank, size

    def _send(self, message: Any) -> None:
        if self.size > 1:
            broadcast_object_list([message], from_process=0)

    def _wait_for_all(self) -> None:
        """Wait until every process has the last message: a process that left earlier would cut the others off."""
        if self.size > 1:
            gather_object([None])

    def start(self) -> None:
        """Let the workers prepare while the leader does the same."""
        self._send("prepare")

    def score(self, score: Score[T], batches: list[Batch]) -> list[T]:
        """Score at most one batch per process; returns one result per batch, in order.

        Raises:
            ValueError: if a process fails or has died.
        """
        if self.size == 1:
            return [score(batch) for batch in batches]
        with _peers_alive():
            self._send(batches)
            outcomes = gather_object([_outcome(score, batches, 0)])
        failed = [f"process {rank}: {error}" for rank, (_, error) in enumerate(outcomes) if error]
        if failed:
            raise ValueError("; ".join(failed))
        return [result for result, _ in outcomes[: len(batches)]]

    @contextmanager
    def leader(self) -> Iterator[None]:
        """Dismiss the workers at the end of the block, also after an error."""
        try:
            yield
        finally:
            with suppress(RuntimeError):  # a process has died; the block's own error says so
                self._send(None)
                self._wait_for_all()

    def serve(self, prepare: Callable[[], Score[Any]]) -> None:
        """Score the batches that the leader sends until it dismisses the workers. Prints and writes nothing.

        Args:
            prepare: loads the model and returns the function that scores a batch.

        Raises:
            PeerLostError: if the leader has died.
        """
        score: Score[Any] | None = None
        problem = ""
        for number in (signal.SIGINT, signal.SIGTERM):  # the leader decides when to stop
            signal.signal(number, signal.SIG_IGN)
        logging.disable()
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), _peers_alive():
            while True:
                inbox: list[Any] = [None]
                broadcast_object_list(inbox, from_process=0)
                if inbox[0] is None:
                    self._wait_for_all()
                    return
                if isinstance(inbox[0], str):
                    try:
                        score = prepare()
                    except Exception as error:  # reported with the first batch, or both sides would wait
                        problem = reason_of(error)
                else:
                    gather_object([(None, problem) if score is None else _outcome(score, inbox[0], self.rank)])


def _outcome(score: Score[T], batches: list[Batch], rank: int) -> tuple[T | None, str]:
    """Result and error text of the batch of ``rank``; both empty if there are fewer batches than processes."""
    if rank >= len(batches):
        return None, ""
    try:
        return score(batches[rank]), ""
    except Exception as error:  # a process that raised here would leave the others waiting
        return None, reason_of(error) or type(error).__name__


@contextmanager
def _peers_alive() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo: connection closed by peer
        raise PeerLostError(
            f"another process of this run has ended; {RESUME_HINT}, on any number of processes"
        ) from error


def join(config: ModelConfig) -> WorkerGroup:
    """Return the group of processes that ``torchrun`` or ``accelerate launch`` started this one in.

    Raises:
        ValueError: if the processes can't work together as started.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if size == 1:
        if (
            os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
            and "MASTER_ADDR" in os.environ
            and "RANK" not in os.environ
        ):
            raise ValueError(
                "accelerate launch --cpu has started one process where several were asked for; use: "
                "torchrun --standalone --nproc_per_node 2 --module cultural_sp align ..."
            )
        return WorkerGroup()
    if config.device_map is not None:
        raise ValueError(
            f"model.device_map={config.device_map} spreads one model over all GPUs and so needs one process; start without "
            "torchrun, or leave it out if the model fits on one GPU"
        )
    if ":" in config.device:
        raise ValueError(f"model.device={config.device} would put {size} processes on one GPU; use model.device=auto")
    if torch.cuda.is_available() and config.device != "cpu" and local > torch.cuda.device_count():
        raise ValueError(
            f"{local} processes on a machine with {torch.cuda.device_count()} GPU(s); start one per GPU, or use model.device=cpu"
        )
    threads = max(1, (os.cpu_count() or 1) // local)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if not torch.distributed.is_initialized():
        atexit.register(torch.distributed.destroy_process_group)  # or its threads may end the process with an abort
    state = PartialState(cpu=True, backend="gloo", timeout=TIMEOUT)
    return WorkerGroup(state.process_index, state.num_processes)
