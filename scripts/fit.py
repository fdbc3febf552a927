"""Meta-train an agent: python scripts/fit.py --topology random."""

from badger_graph.cli import fit_main

if __name__ == "__main__":
    fit_main()
