"""Train the positive control: ``python experiments/positive_control.py [steps=800]``; goes on where it was interrupted."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("positive-control")
