"""Factor analysis of survey answers: of simulated respondents before and after alignment, and of people."""
