"""Doers of steps."""
