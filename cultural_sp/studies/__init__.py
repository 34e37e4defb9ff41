"""Programs made of runs of the main job, or beside it; they know nothing of each other."""
