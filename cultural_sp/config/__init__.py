"""Typed, checked config of every program, composed by Hydra; with cli/ the only room that knows Hydra."""
