"""Tables, figures, pages and trackers of runs. Reads what runs left; loads no torch."""
