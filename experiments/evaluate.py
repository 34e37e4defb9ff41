"""Evaluate a soft prompt: ``python experiments/evaluate.py soft_prompt.path=RUN_FOLDER/soft_prompt region=cn``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("evaluate")
