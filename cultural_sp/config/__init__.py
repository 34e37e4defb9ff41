"""Typed and checked configs of all programs. Only this room and ``cli`` know Hydra."""
