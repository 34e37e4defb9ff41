"""SIGINT (Ctrl-C) and SIGTERM: a program stops without losing the batch that it computes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], None]


class Stopped(BaseException):
    """A signal asks the program to end. It is no ``Exception``, so that no handler of failed jobs catches it."""

    def __init__(self, number: int) -> None:
        """Stopped by the signal with this number."""
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number
        """The exit code that a shell reports for a program ended by this signal."""


class PeerLostError(ValueError):
    """Another process of the same run has ended too early."""


_received: list[int] = []
"""Signals that arrived. Python drops an exception that is raised inside a destructor, so raising alone may have no effect."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise :class:`Stopped` in the block when a signal arrives, at the latest at the next :func:`raise_if_stopped`."""

    def stop(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        raise Stopped(number)

    try:
        with _handled_by(stop):
            yield
    finally:
        _received.clear()


def raise_if_stopped() -> None:
    """Raise :class:`Stopped` if a signal arrived whose exception was dropped."""
    if _received:
        raise Stopped(_received[0])


@contextmanager
def delay_signals() -> Iterator[None]:
    """Let the block end before a signal takes effect; a second signal takes effect at once."""
    raise_if_stopped()
    pending: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        pending.append(number)
        for other, handler in replaced.items():
            signal.signal(other, handler)
        # Not print: a handler may run in the middle of another write to the same stream.
        os.write(2, b"stopping after the current batch; a second signal stops at once\n")

    with _handled_by(wait) as replaced:
        yield
    if pending:
        signal.raise_signal(pending[0])


@contextmanager
def _handled_by(handler: Handler) -> Iterator[dict[signal.Signals, Handler]]:
    """Install a handler for the block; yield the replaced handlers. Ignored signals stay ignored, as in background jobs."""
    replaced: dict[signal.Signals, Handler] = {}
    if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
        for number in SIGNALS:
            current = signal.getsignal(number)
            if current not in (signal.SIG_IGN, None):
                replaced[number] = current  # type: ignore[assignment]
                signal.signal(number, handler)
    try:
        yield replaced
    finally:
        for number, previous in replaced.items():
            signal.signal(number, previous)
