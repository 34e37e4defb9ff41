"""The run that a wandb agent expects of the process it starts. Loads no wandb.

An agent names it in environment variables, which wandb prefers to the id of any run that the process begins.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cultural_sp.reporting.wandb_tracking.console import say

SWEEP, RUN = "WANDB_SWEEP_ID", "WANDB_RUN_ID"
CLAIMS = (SWEEP, RUN, "WANDB_SWEEP_PARAM_PATH", "WANDB_LAUNCH")
"""Variables by which wandb puts every run of a process into one run."""


@dataclass(frozen=True)
class AgentRun:
    """One run of a wandb sweep."""

    sweep: str
    id: str
    project: str | None
    entity: str | None


def take_agent_run() -> AgentRun | None:
    """Return the run that an agent expects, once; afterwards this process and the ones it starts are on their own."""
    values = {name: os.environ.pop(name, None) for name in CLAIMS}
    sweep, run = values[SWEEP], values[RUN]
    if not sweep or not run:
        return None
    return AgentRun(sweep, run, os.environ.get("WANDB_PROJECT"), os.environ.get("WANDB_ENTITY"))


def leave_agent(runs: str) -> None:
    """Give up the run that an agent expects, and say so; ``runs`` names the several runs that can't be one."""
    agent = take_agent_run()
    if agent is not None:
        say(
            f"{runs} can't be the one run {agent.id} of sweep {agent.sweep}, so each has an id of its own outside of it"
        )
