"""Measure what an evaluation costs: ``python experiments/benchmark.py rounds=5``."""

from cultural_sp.cli.programs import benchmark_main

if __name__ == "__main__":
    benchmark_main()
