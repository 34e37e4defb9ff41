"""Compare search spaces and optimizers: ``python experiments/search_study.py``; goes on where it was interrupted."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("study")
