"""Write the verdicts anew: ``python experiments/paper/claims.py outputs/paper/embedded``."""

from cultural_sp.cli.study_jobs import write_artefact

if __name__ == "__main__":
    write_artefact("claims")
