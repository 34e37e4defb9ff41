"""Files, errors, signals, processes, progress bars. Knows nothing of models, surveys or searches."""
