"""Check of the program on a GPU: speed, exactness, memory and restarts, by one command."""
