"""Write the report on runs: ``python experiments/report.py runs=outputs/align``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("report")
