"""Reproduce the paper: ``python experiments/paper/reproduce.py profile=embedded``; goes on where it was interrupted."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("reproduce")
