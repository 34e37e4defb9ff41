"""Write the factor analyses of the runs anew: ``python experiments/paper/factor_analysis.py outputs/paper/embedded``."""

from cultural_sp.cli.study_jobs import write_artefact

if __name__ == "__main__":
    write_artefact("factor_analysis")
