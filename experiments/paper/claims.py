"""Write the verdicts anew: ``python experiments/paper/claims.py outputs/paper/embedded``."""

from cultural_sp.cli.programs import artefact_main

if __name__ == "__main__":
    artefact_main("claims")
