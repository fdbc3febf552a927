"""How soon a task is solved again, after something happened: python scripts/recovery.py."""

from badger_graph.experiments.lasting.recovery import Recovery
from badger_graph.experiments.runner import command

main = command(Recovery)

if __name__ == "__main__":
    main()
