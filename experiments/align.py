"""Align a model to a region: ``python experiments/align.py region=jp seed=1``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("align")
