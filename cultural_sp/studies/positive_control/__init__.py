"""The positive control: a small model trained on synthetic respondents, for which an alignment is known to exist."""
