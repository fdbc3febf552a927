"""Evaluate a trained agent: python scripts/evaluate.py CHECKPOINT."""

from badger_graph.cli import evaluate_main

if __name__ == "__main__":
    evaluate_main()
