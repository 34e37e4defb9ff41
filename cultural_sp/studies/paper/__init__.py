"""Reproduction of arXiv 2503.16094: its runs, its table and figures, and a verdict on every claim."""
