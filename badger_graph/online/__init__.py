"""Learners for users who train nothing: a frozen policy, and an agent that lives with their data."""

from badger_graph.online.classifier import OnlineClassifier
from badger_graph.online.player import BanditPlayer
from badger_graph.online.regressor import OnlineRegressor

__all__ = ["BanditPlayer", "OnlineClassifier", "OnlineRegressor"]
