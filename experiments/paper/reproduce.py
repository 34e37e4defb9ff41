"""Reproduce the paper: ``python experiments/paper/reproduce.py profile=embedded``; goes on where it was interrupted."""

from cultural_sp.cli.programs import paper_main

if __name__ == "__main__":
    paper_main()
