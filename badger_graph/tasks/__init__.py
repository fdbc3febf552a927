"""Task families: one a file."""

from badger_graph.tasks.bandits import Bandit, Bandits
from badger_graph.tasks.base import SeparableFamily, Targeted, Task, TaskFamily, target_of
from badger_graph.tasks.class_guessing import ClassGuessing, Guesses
from badger_graph.tasks.examples import (
    CLASSIFICATION,
    REGRESSION,
    Classification,
    Examples,
    Regression,
)
from badger_graph.tasks.gaussian_processes import GaussianProcesses
from badger_graph.tasks.guessing import GuessingGame
from badger_graph.tasks.hidden_target import GuessingTask, HiddenTarget
from badger_graph.tasks.linear_functions import LinearFunctions
from badger_graph.tasks.mixture import Mixture
from badger_graph.tasks.regressions import Regressions
from badger_graph.tasks.several_lives import SeveralLives
from badger_graph.tasks.tables import Tables
from badger_graph.tasks.waves import SumOfWaves

TASKS: dict[str, type[TaskFamily]] = {
    "guessing": GuessingGame,
    "waves": SumOfWaves,
    "tables": Tables,
    "regressions": Regressions,
    "linear_functions": LinearFunctions,
    "gaussian_processes": GaussianProcesses,
    "class_guessing": ClassGuessing,
    "mixture": Mixture,
    "bandits": Bandits,
    "several_lives": SeveralLives,
}
