"""Grow living agents: python scripts/growth.py --checkpoints a.ckpt b.ckpt."""

from badger_graph.experiments.paper.growth import Growth
from badger_graph.experiments.runner import command

main = command(Growth)

if __name__ == "__main__":
    main()
