"""The study of the search: which space and optimizer find an alignment, and what it is worth."""
