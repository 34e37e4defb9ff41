"""Frozen language models: loading, soft prompts, token tree, answers. Knows nothing of culture."""
