"""Draw how the loss falls with the number of wordings: ``python experiments/wordings.py outputs --output figures``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("wordings")
