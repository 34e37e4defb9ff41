"""Factor analysis of simulated respondents or human answers: ``python experiments/factor_analysis.py run=RUN_FOLDER``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("factor-analysis")
