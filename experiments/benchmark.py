"""Measure what an evaluation costs: ``python experiments/benchmark.py rounds=5``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("bench")
