"""Ask the plain and the aligned model: ``python experiments/ask.py soft_prompt.path=RUN_FOLDER/soft_prompt "Who decides?"``."""

from cultural_sp.cli.programs import ask_main

if __name__ == "__main__":
    ask_main()
