"""Files, errors, signals, progress bars: knows nothing of models, surveys or searches."""
