"""Workflows that ship with Backstitch: real work over real input, and a model for one's own."""
