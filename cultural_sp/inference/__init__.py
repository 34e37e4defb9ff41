"""Programs for a finished soft prompt: evaluate it, ask it questions, measure its side effects, export it."""
