"""Benchmark of the token tree against the usual ways to score a survey."""
