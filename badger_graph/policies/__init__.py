"""Expert policies: one a file."""

from badger_graph.policies.attention import AttentionPolicy
from badger_graph.policies.base import ExpertPolicy
from badger_graph.policies.gru import GRUPolicy
from badger_graph.policies.message import MessagePolicy

POLICIES: dict[str, type[ExpertPolicy]] = {"attention": AttentionPolicy, "gru": GRUPolicy}

__all__ = ["POLICIES", "AttentionPolicy", "ExpertPolicy", "GRUPolicy", "MessagePolicy"]
