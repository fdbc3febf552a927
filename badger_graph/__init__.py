"""Badger: agents made of many experts that share one policy."""

from badger_graph.agent import BadgerAgent, split
from badger_graph.growth import (
    add_experts,
    change_outputs,
    clone_experts,
    remove_experts,
    rewire,
)
from badger_graph.library.authors import load_authors
from badger_graph.library.load import load_agent
from badger_graph.library.resume import load_learner
from badger_graph.library.shipping import read_card, shipped_policies
from badger_graph.membranes import (
    AddressedMembrane,
    AttentionMembrane,
    HardwiredMembrane,
    Membrane,
    WholeMembrane,
)
from badger_graph.outer.curriculum import Curriculum, MoreWorlds, OneMoreOutput, Stage, Stages
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import ConvergeFast, LastStep, LogError, MeanOverEnd, MetaLoss
from badger_graph.policies import (
    AttentionPolicy,
    ExpertPolicy,
    GRUPolicy,
    LSTMPolicy,
    MessagePolicy,
)
from badger_graph.rollout import Moment, Recorder, Rollout, live, unroll
from badger_graph.tasks import GuessingGame, SumOfWaves, Task, TaskFamily
from badger_graph.typing import Edges, Observation

__version__ = "0.1.0"

__all__ = [
    "AddressedMembrane",
    "AttentionMembrane",
    "AttentionPolicy",
    "BadgerAgent",
    "ConvergeFast",
    "Curriculum",
    "Edges",
    "ExpertPolicy",
    "GRUPolicy",
    "GuessingGame",
    "HardwiredMembrane",
    "LSTMPolicy",
    "LastStep",
    "LogError",
    "MeanOverEnd",
    "Membrane",
    "MessagePolicy",
    "MetaLearner",
    "MetaLoss",
    "Moment",
    "MoreWorlds",
    "Observation",
    "OneMoreOutput",
    "Recorder",
    "Rollout",
    "Stage",
    "Stages",
    "SumOfWaves",
    "Task",
    "TaskFamily",
    "WholeMembrane",
    "add_experts",
    "change_outputs",
    "clone_experts",
    "live",
    "load_agent",
    "load_authors",
    "load_learner",
    "read_card",
    "remove_experts",
    "rewire",
    "shipped_policies",
    "split",
    "unroll",
]
