"""One frozen policy on graphs of many families and sizes: python scripts/any_graph.py."""

from badger_graph.experiments.lasting.any_graph import AnyGraph
from badger_graph.experiments.runner import command

main = command(AnyGraph)

if __name__ == "__main__":
    main()
