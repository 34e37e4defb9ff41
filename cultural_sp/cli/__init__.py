"""The command line: which programs there are and how they run."""
