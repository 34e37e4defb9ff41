"""The positive control: a small model trained on synthetic respondents, on which a search for an alignment must succeed."""
