"""Surveys, their rendering and scoring, and regional targets. Knows nothing of torch."""
