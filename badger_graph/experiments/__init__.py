"""Experiments as commands: what is measured, kept as JSON, tabulated and drawn."""
