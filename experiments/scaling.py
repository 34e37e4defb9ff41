"""Measure what a second process is worth on this machine's CPU: ``python experiments/scaling.py [overrides of align.py]``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("scaling")
