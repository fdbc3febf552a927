"""Expert policies: one a file."""

from badger_graph.policies.annealed_fast_weights import AnnealedFastWeightPolicy
from badger_graph.policies.attention import AttentionPolicy
from badger_graph.policies.base import ExpertPolicy
from badger_graph.policies.chaotic import ChaoticPolicy
from badger_graph.policies.exponential import ExponentialPolicy
from badger_graph.policies.gru import GRUPolicy
from badger_graph.policies.lstm import LSTMPolicy
from badger_graph.policies.message import MessagePolicy
from badger_graph.policies.wired_fast_weights import WiredFastWeightPolicy

POLICIES: dict[str, type[ExpertPolicy]] = {
    "annealed_fast_weights": AnnealedFastWeightPolicy,
    "attention": AttentionPolicy,
    "chaotic": ChaoticPolicy,
    "exponential": ExponentialPolicy,
    "gru": GRUPolicy,
    "lstm": LSTMPolicy,
    "wired_fast_weights": WiredFastWeightPolicy,
}
