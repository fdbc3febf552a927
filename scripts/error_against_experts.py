"""Error against the number of experts N: python scripts/error_against_experts.py."""

from badger_graph.cli import program
from badger_graph.experiments.error_against_experts import error_against_experts, markdown


def main() -> None:
    """Measure what is not measured yet, draw, and print the table."""
    print(markdown(program(error_against_experts)))


if __name__ == "__main__":
    main()
