"""Measure what a soft prompt costs: ``python experiments/side_effects.py soft_prompt.path=RUN_FOLDER/soft_prompt``."""

from cultural_sp.cli.programs import side_effects_main

if __name__ == "__main__":
    side_effects_main()
