"""Exports of models, soft prompts and surveys to the formats of other tools."""
