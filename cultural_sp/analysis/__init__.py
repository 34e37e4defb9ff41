"""Statistics, figures and tables of results."""
