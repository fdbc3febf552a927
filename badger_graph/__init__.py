"""Badger: agents made of many experts that share one policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badger_graph.actions import Action, Bits, Choice, Distribution, Real
from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.channels import Channel, ClearChannel
from badger_graph.communication import Communication, FixedRounds
from badger_graph.growth import (
    add_experts,
    change_outputs,
    clone_experts,
    remove_experts,
    repeat_agents,
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
    CrossbarMembrane,
    HardwiredMembrane,
    Membrane,
    WholeMembrane,
)
from badger_graph.outer.curriculum import Curriculum, MoreCodebooks, OneMoreOutput, Stage, Stages
from badger_graph.outer.gradients import ScoreFunction
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import ConvergeFast, LastStep, LogError, MeanOverEnd, MetaLoss
from badger_graph.outer.sizes import Sizes
from badger_graph.policies import (
    AttentionPolicy,
    ExpertPolicy,
    GRUPolicy,
    LSTMPolicy,
    MessagePolicy,
    WiredFastWeightPolicy,
)
from badger_graph.pyg import from_pyg, split, to_pyg
from badger_graph.rollout import Moment, Recorder, Rollout, live, unroll
from badger_graph.saved_lives import load_life, save_life
from badger_graph.tasks import (
    Bandits,
    GuessingGame,
    Regressions,
    SeveralLives,
    SumOfWaves,
    Tables,
    Task,
    TaskFamily,
)
from badger_graph.typing import Edges, Interface, Observation

if TYPE_CHECKING:
    from badger_graph.online import BanditPlayer, OnlineClassifier, OnlineRegressor

__version__ = "0.1.0"

__all__ = [
    "Action",
    "AddressedMembrane",
    "Addresses",
    "AttentionMembrane",
    "AttentionPolicy",
    "BadgerAgent",
    "BanditPlayer",
    "Bandits",
    "Birth",
    "Bits",
    "Channel",
    "Choice",
    "ClearChannel",
    "Communication",
    "ConvergeFast",
    "CrossbarMembrane",
    "Curriculum",
    "Distribution",
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
    "OnlineClassifier",
    "OnlineRegressor",
    "Real",
    "Recorder",
    "Regressions",
    "Rollout",
    "ScoreFunction",
    "SeveralLives",
    "Sizes",
    "Stage",
    "Stages",
    "SumOfWaves",
    "Tables",
    "Task",
    "TaskFamily",
    "WholeMembrane",
    "WiredFastWeightPolicy",
    "add_experts",
    "change_outputs",
    "clone_experts",
    "from_pyg",
    "live",
    "load_agent",
    "load_authors",
    "load_learner",
    "load_life",
    "read_card",
    "remove_experts",
    "repeat_agents",
    "rewire",
    "save_life",
    "shipped_policies",
    "split",
    "to_pyg",
    "unroll",
]

ONLINE = ("BanditPlayer", "OnlineClassifier", "OnlineRegressor")
"""What is imported when it is first asked for: it needs scikit-learn, and most users do not."""


def __getattr__(name: str) -> Any:
    if name in ONLINE:
        from badger_graph import online

        return getattr(online, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
