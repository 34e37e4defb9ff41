"""Statistics of anything: intervals, tests, factor analysis."""
