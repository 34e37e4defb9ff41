"""Check a survey file before a model takes it: ``python experiments/check_survey.py docs/example_survey.yaml``."""

from cultural_sp.cli.programs import check_survey_main

if __name__ == "__main__":
    check_survey_main()
