"""Experiments as commands: what is measured on trained agents, kept as JSON, tabulated and drawn."""
