"""How the outer loop comes by the gradient of the meta-loss: one way a file."""

from badger_graph.outer.gradients.backpropagation import Backpropagation
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.gradients.captured import Captured
from badger_graph.outer.gradients.hand_on import hand_on
from badger_graph.outer.gradients.jacobian import JacobianDescent
from badger_graph.outer.gradients.living_pool import LivingPool
from badger_graph.outer.gradients.score_function import ScoreFunction

GRADIENTS: dict[str, type[OuterGradient]] = {
    "backpropagation": Backpropagation,
    "jacobian": JacobianDescent,
    "captured": Captured,
    "score_function": ScoreFunction,
    "living_pool": LivingPool,
}
