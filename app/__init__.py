"""Backstitch: durable workflows of agents that can be cut, resumed, rolled back and watched live."""
