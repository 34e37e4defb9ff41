"""Write the factor analyses of the runs anew: ``python experiments/paper/factor_analysis.py outputs/paper/embedded``."""

from cultural_sp.cli.programs import artefact_main

if __name__ == "__main__":
    artefact_main("factor_analysis")
