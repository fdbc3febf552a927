"""Classes that come two by two: python scripts/class_incremental.py."""

from badger_graph.experiments.lasting.class_incremental import ClassIncremental
from badger_graph.experiments.runner import command

main = command(ClassIncremental)

if __name__ == "__main__":
    main()
