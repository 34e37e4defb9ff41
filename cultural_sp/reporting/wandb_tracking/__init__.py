"""Showing the course of a run elsewhere. The journal and the result files stay the truth; all that is shown follows from them."""
