"""Random configurations of everything that can be combined, and what must hold for each."""
