"""Meta-train an agent without a clone of the repository: python -m badger_graph --seed 1."""

from badger_graph.cli import fit_main

if __name__ == "__main__":
    fit_main()
