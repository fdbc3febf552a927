"""Watch images being learned: python scripts/animate_images.py."""

from badger_graph.cli import program
from badger_graph.experiments.online.animate_images import animate_images

if __name__ == "__main__":
    program(animate_images)
