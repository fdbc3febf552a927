"""Error against the number of outputs d: python scripts/error_against_outputs.py."""

from badger_graph.cli import program
from badger_graph.experiments.error_against_outputs import error_against_outputs, markdown


def main() -> None:
    """Measure what is not measured yet, draw, and print the table."""
    print(markdown(program(error_against_outputs)))


if __name__ == "__main__":
    main()
