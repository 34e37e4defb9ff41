"""Measure what a soft prompt costs: ``python experiments/side_effects.py soft_prompt.path=RUN_FOLDER/soft_prompt``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("side-effects")
