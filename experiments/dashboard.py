"""A wandb workspace and report over a sweep: ``python experiments/dashboard.py outputs/align --entity me``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("dashboard")
