"""Frozen language models: loading, soft prompts, token tree, readouts. Knows nothing of culture."""
