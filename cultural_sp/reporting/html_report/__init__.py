"""One self-contained page about any number of runs, and its tables as Markdown and CSV. Loads no torch."""
