"""Check a survey file before a model takes it: ``python experiments/check_survey.py docs/example_survey.yaml``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("check-survey")
