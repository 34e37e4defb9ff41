"""What a run leaves on disk, and the one reader of it. Loads no torch."""
