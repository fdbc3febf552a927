"""What an agent that learns online is compared with: tables, numbers, bandits."""

from badger_graph.baselines.online import bandits
from badger_graph.baselines.online.classifiers import CLASSIFIERS, Accuracy
from badger_graph.baselines.online.regressors import bayes_linear, gaussian_process, nlms

__all__ = ["CLASSIFIERS", "Accuracy", "bayes_linear", "gaussian_process", "nlms"]
