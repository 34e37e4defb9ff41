"""What one does with a soft prompt that is there: evaluate it, ask it, see what it costs."""
