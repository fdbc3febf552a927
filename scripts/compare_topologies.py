"""Train on every kind of graph, with error bars: python scripts/compare_topologies.py."""

from badger_graph.experiments.paper.compare_topologies import CompareTopologies
from badger_graph.experiments.runner import command

main = command(CompareTopologies)

if __name__ == "__main__":
    main()
