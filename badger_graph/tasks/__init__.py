"""Task families: one a file."""

from badger_graph.tasks.base import SeparableFamily, Targeted, Task, TaskFamily, target_of
from badger_graph.tasks.guessing import GuessingGame
from badger_graph.tasks.hidden_target import GuessingTask, HiddenTarget
from badger_graph.tasks.waves import SumOfWaves

TASKS: dict[str, type[TaskFamily]] = {"guessing": GuessingGame, "waves": SumOfWaves}
