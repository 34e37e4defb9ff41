"""The command line: the table of programs, their jobs, and how Hydra runs them."""
