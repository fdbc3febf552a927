"""Task after task in a single life: python scripts/tasks_in_a_row.py."""

from badger_graph.experiments.lasting.tasks_in_a_row import TasksInARow
from badger_graph.experiments.runner import command

main = command(TasksInARow)

if __name__ == "__main__":
    main()
