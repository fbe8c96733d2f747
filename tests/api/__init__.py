"""Tests of the HTTP service over the memory store, with the engine's control played by a stand-in."""
