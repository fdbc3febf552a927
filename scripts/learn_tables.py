"""Learn real tables online, beside what people use: python scripts/learn_tables.py."""

from badger_graph.experiments.online.learn_tables import LearnTables
from badger_graph.experiments.runner import command

main = command(LearnTables)

if __name__ == "__main__":
    main()
