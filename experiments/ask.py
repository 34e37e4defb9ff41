"""Ask the plain and the aligned model: ``python experiments/ask.py soft_prompt.path=RUN_FOLDER/soft_prompt "Who decides?"``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("ask")
