"""Simulated respondents take a survey, before and after alignment, and their answers are factor analysed."""
