"""Measure trained agents: python scripts/measure.py runs/0/checkpoints/*.ckpt."""

from badger_graph.experiments.measure import main

if __name__ == "__main__":
    main()
