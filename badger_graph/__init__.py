"""Badger: agents made of many experts that share one policy."""

from badger_graph.actions import Action, Bits, Choice, Real
from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.channels import Channel, ClearChannel
from badger_graph.communication import Communication, FixedRounds
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
from badger_graph.life import Addresses, Experts, Life
from badger_graph.membranes import (
    AddressedMembrane,
    AttentionMembrane,
    HardwiredMembrane,
    Membrane,
    WholeMembrane,
)
from badger_graph.outer.curriculum import Curriculum, MoreCodebooks, OneMoreOutput, Stage, Stages
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import ConvergeFast, LastStep, LogError, MeanOverEnd, MetaLoss
from badger_graph.outer.sizes import Sizes
from badger_graph.policies import (
    AttentionPolicy,
    ExpertPolicy,
    GRUPolicy,
    LSTMPolicy,
    MessagePolicy,
)
from badger_graph.pyg import from_pyg, split, to_pyg
from badger_graph.rollout import Moment, Recorder, Rollout, live, unroll
from badger_graph.tasks import GuessingGame, SumOfWaves, Task, TaskFamily
from badger_graph.typing import Edges, Interface, Observation

__version__ = "0.1.0"

__all__ = [
    "Action",
    "AddressedMembrane",
    "Addresses",
    "AttentionMembrane",
    "AttentionPolicy",
    "BadgerAgent",
    "Birth",
    "Bits",
    "Channel",
    "Choice",
    "ClearChannel",
    "Communication",
    "ConvergeFast",
    "Curriculum",
    "Edges",
    "ExpertPolicy",
    "Experts",
    "FixedRounds",
    "GRUPolicy",
    "GuessingGame",
    "HardwiredMembrane",
    "Interface",
    "LSTMPolicy",
    "LastStep",
    "Life",
    "LogError",
    "MeanOverEnd",
    "Membrane",
    "MessagePolicy",
    "MetaLearner",
    "MetaLoss",
    "Moment",
    "MoreCodebooks",
    "Observation",
    "OneMoreOutput",
    "Real",
    "Recorder",
    "Rollout",
    "Sizes",
    "Stage",
    "Stages",
    "SumOfWaves",
    "Task",
    "TaskFamily",
    "WholeMembrane",
    "add_experts",
    "change_outputs",
    "clone_experts",
    "from_pyg",
    "live",
    "load_agent",
    "load_authors",
    "load_learner",
    "read_card",
    "remove_experts",
    "rewire",
    "shipped_policies",
    "split",
    "to_pyg",
    "unroll",
]
