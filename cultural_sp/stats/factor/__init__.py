"""Factor analysis of survey answers: tests whether the answers have the structure that the survey declares."""
