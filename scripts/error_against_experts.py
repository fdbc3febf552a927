"""Error against the number of experts N: python scripts/error_against_experts.py."""

from jsonargparse import auto_cli

from badger_graph.experiments.error_against_experts import error_against_experts, markdown


def main() -> None:
    """Measure what is not measured yet, draw, and print the table."""
    print(markdown(auto_cli(error_against_experts)))


if __name__ == "__main__":
    main()
