"""Write the report on runs: ``python experiments/report.py runs=outputs/align``."""

from cultural_sp.cli.programs import report_main

if __name__ == "__main__":
    report_main()
