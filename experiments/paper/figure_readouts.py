"""Write the figure of readouts anew: ``python experiments/paper/figure_readouts.py outputs/paper/embedded``."""

from cultural_sp.cli.programs import artefact_main

if __name__ == "__main__":
    artefact_main("figure_readouts")
