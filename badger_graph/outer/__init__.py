"""The outer loop: the search for the expert policy."""
