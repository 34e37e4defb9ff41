"""Check a model on a dozen tokens: ``python experiments/check_model.py qwen3_0.6b``, or a hub id, a folder or a .gguf file."""

from cultural_sp.cli.command import run

if __name__ == "__main__":
    run("check-model")
