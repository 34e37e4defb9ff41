"""The main job: align a frozen model to one or more regions."""
