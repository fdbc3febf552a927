"""Task families: one a file."""

from badger_graph.tasks.base import SeparableFamily, Task, TaskFamily
from badger_graph.tasks.guessing import GuessingGame, GuessingTask

TASKS: dict[str, type[TaskFamily]] = {"guessing": GuessingGame}

__all__ = ["TASKS", "GuessingGame", "GuessingTask", "SeparableFamily", "Task", "TaskFamily"]
