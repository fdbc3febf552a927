"""For users who train nothing: frozen policies, and agents that live with their data."""

from badger_graph.online.classifier import OnlineClassifier
from badger_graph.online.player import BanditPlayer
from badger_graph.online.regressor import OnlineRegressor

__all__ = ["BanditPlayer", "OnlineClassifier", "OnlineRegressor"]
