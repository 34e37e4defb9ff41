"""Write the convergence figure anew: ``python experiments/paper/figure_convergence.py outputs/paper/embedded``."""

from cultural_sp.cli.study_jobs import write_artefact

if __name__ == "__main__":
    write_artefact("figure_convergence")
