"""Write the figure of wordings anew: ``python experiments/paper/figure_wordings.py outputs/paper/embedded``."""

from cultural_sp.cli.programs import artefact_main

if __name__ == "__main__":
    artefact_main("figure_wordings")
