"""Experiments on trained agents, as commands: measured, kept as JSON, tabulated and drawn."""
