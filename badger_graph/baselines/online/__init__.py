"""What an agent that learns tables online is compared with."""

from badger_graph.baselines.online.classifiers import CLASSIFIERS, Accuracy
from badger_graph.baselines.online.regressors import bayes_linear, gaussian_process, nlms

__all__ = ["CLASSIFIERS", "Accuracy", "bayes_linear", "gaussian_process", "nlms"]
