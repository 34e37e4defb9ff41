"""Evaluate a soft prompt: ``python experiments/evaluate.py soft_prompt.path=RUN_FOLDER/soft_prompt region=cn``."""

from cultural_sp.cli.programs import evaluate_main

if __name__ == "__main__":
    evaluate_main()
