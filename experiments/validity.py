"""Check whether a model can take a survey: ``python experiments/validity.py model=qwen3_0.6b``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("validity")
