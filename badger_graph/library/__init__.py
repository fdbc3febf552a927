"""Trained agents: read from files, shipped with the package, and of other authors."""
