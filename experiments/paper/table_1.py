"""Write Table 1 anew: ``python experiments/paper/table_1.py outputs/paper/embedded``."""

from cultural_sp.cli.programs import artefact_main

if __name__ == "__main__":
    artefact_main("table_1")
