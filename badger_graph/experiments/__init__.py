"""Experiments on trained agents: one a file, each a function of agents that returns plain data."""
