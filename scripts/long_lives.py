"""What becomes of the error in long lives: python scripts/long_lives.py."""

from badger_graph.experiments.paper.long_lives import LongLives
from badger_graph.experiments.runner import command

main = command(LongLives)

if __name__ == "__main__":
    main()
