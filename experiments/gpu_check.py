"""Check the program on a GPU: ``python experiments/gpu_check.py``; without one: ``geometry=tiny model.device=cpu``."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("gpu-check")
