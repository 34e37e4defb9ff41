"""Evolved soft prompts in the forms that other tools take: PEFT with a model card, lm-evaluation-harness, vLLM."""
