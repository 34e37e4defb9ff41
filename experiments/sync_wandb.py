"""Bring finished runs into wandb: ``python experiments/sync_wandb.py outputs/align``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("sync-wandb")
