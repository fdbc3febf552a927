"""Error against the number of outputs d: python scripts/error_against_outputs.py."""

from badger_graph.experiments.paper.error_against_outputs import ErrorAgainstOutputs
from badger_graph.experiments.runner import command

main = command(ErrorAgainstOutputs)

if __name__ == "__main__":
    main()
