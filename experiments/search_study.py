"""Compare search spaces and optimizers: ``python experiments/search_study.py``; goes on where it was interrupted."""

from cultural_sp.cli.programs import study_main

if __name__ == "__main__":
    study_main()
