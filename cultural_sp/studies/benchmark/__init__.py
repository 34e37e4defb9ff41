"""What an evaluation costs, measured against how people usually write it."""
