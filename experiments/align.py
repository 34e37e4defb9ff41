"""Align a model to a region: ``python experiments/align.py region=jp seed=1``."""

from cultural_sp.cli.programs import align_main

if __name__ == "__main__":
    align_main()
