"""Write Table 1 anew: ``python experiments/paper/table_1.py outputs/paper/embedded``."""

from cultural_sp.cli.study_jobs import write_artefact

if __name__ == "__main__":
    write_artefact("table_1")
