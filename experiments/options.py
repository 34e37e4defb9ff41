"""List every option of a run with its default and meaning: ``python experiments/options.py [WORD...]``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("options")
