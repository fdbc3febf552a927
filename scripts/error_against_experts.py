"""Error against the number of experts N: python scripts/error_against_experts.py."""

from badger_graph.experiments.paper.error_against_experts import ErrorAgainstExperts
from badger_graph.experiments.runner import command

main = command(ErrorAgainstExperts)

if __name__ == "__main__":
    main()
