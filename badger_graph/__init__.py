"""Badger: agents made of many experts that share one policy."""

from badger_graph.agent import BadgerAgent, split
from badger_graph.authors import load_authors
from badger_graph.membranes import AttentionMembrane, HardwiredMembrane, Membrane
from badger_graph.outer.checkpoint import load_agent, load_learner
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import ConvergeFast, LastStep, MeanOverEnd, MetaLoss
from badger_graph.policies import AttentionPolicy, ExpertPolicy, GRUPolicy, MessagePolicy
from badger_graph.rollout import Moment, Recorder, Rollout, live, unroll
from badger_graph.tasks import GuessingGame, Task, TaskFamily
from badger_graph.typing import Edges, Observation

__version__ = "0.1.0"

__all__ = [
    "AttentionMembrane",
    "AttentionPolicy",
    "BadgerAgent",
    "ConvergeFast",
    "Edges",
    "ExpertPolicy",
    "GRUPolicy",
    "GuessingGame",
    "HardwiredMembrane",
    "LastStep",
    "MeanOverEnd",
    "Membrane",
    "MessagePolicy",
    "MetaLearner",
    "MetaLoss",
    "Moment",
    "Observation",
    "Recorder",
    "Rollout",
    "Task",
    "TaskFamily",
    "live",
    "load_agent",
    "load_authors",
    "load_learner",
    "split",
    "unroll",
]
