"""Factor analysis of simulated respondents or human answers: ``python experiments/factor_analysis.py run=RUN_FOLDER``."""

from cultural_sp.cli.programs import factor_analysis_main

if __name__ == "__main__":
    factor_analysis_main()
