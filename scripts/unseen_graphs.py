"""One policy on graphs it never saw: python scripts/unseen_graphs.py."""

from badger_graph.experiments.paper.unseen_graphs import UnseenGraphs
from badger_graph.experiments.runner import command

main = command(UnseenGraphs)

if __name__ == "__main__":
    main()
