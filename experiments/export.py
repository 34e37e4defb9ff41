"""Write what other tools take: ``python experiments/export.py to=peft soft_prompt.path=RUN_FOLDER/soft_prompt output=FOLDER``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("export")
