"""Watch a run in the terminal: ``python experiments/watch.py outputs/align/us/smollm2-135m-instruct.q4-1/seed-0``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("watch")
