"""A model takes a survey or an exam."""
