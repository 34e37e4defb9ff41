"""Search spaces, optimizers and the ask-and-tell loop. Knows nothing of torch or surveys."""
