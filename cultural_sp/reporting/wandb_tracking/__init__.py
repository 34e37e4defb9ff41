"""Tracking of runs with wandb. The journal and the result files are the source; a tracker only shows what they contain."""
