"""Commands in processes of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence


def run_command(command: Sequence[str], environment: Mapping[str, str], timeout: float | None = None) -> None:
    """Run a command and wait for its end.

    Args:
        command: the program and its arguments.
        environment: of the process.
        timeout: seconds after which it is killed; None for no limit.

    Raises:
        ValueError: if it fails, with its error line.
        subprocess.TimeoutExpired: if it was killed.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode:
        raise ValueError(failure_of(done.stderr))


def failure_of(stderr: str) -> str:
    """Return the error line of a program of this package, or the end of what it printed."""
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    return " ".join((errors[0] if errors else stderr[-300:]).split())
