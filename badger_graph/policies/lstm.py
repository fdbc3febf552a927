"""A long short-term memory that is a whole agent by itself."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.executors.base import Wiring
from badger_graph.policies.base import ExpertPolicy, scale_weights
from topologies.checks import POSITIVE, checked, limited_weights, size


class LSTMPolicy(ExpertPolicy):
    r"""An LSTM that guesses all numbers at once: the meta-learner without experts.

    .. math::
        (h', c') = \mathrm{LSTM}(p, (h, c)), \qquad x = W h' + b

    It is the policy of an agent of one expert, which hears nobody: with
    :class:`badger_graph.WholeMembrane` the percept p is the feedback and all last actions, and
    x all next ones. So training, evaluation and analysis are those of every other agent, and what
    it lacks is what Badger adds. Unlike that of other policies, its size depends on the number of
    outputs.

    Source: Šimánek (blog), "F-principle": "LSTM meta-learner, hidden_size=64, 1 layer"; Hochreiter
    et al. 2001, "Learning to learn using gradient descent".

    Args:
        num_outputs: outputs d of the agent, as in its membrane.
        cell_size: size of h, and of c.
        gain: factor of all weights at the start, as in :class:`badger_graph.GRUPolicy`: with 1.65
            the first plateau is shorter.

    Shapes:
        - **hidden:** ``[V, H]``, of h and c: H is twice ``cell_size``
        - **percept:** ``[V, 1 + d]``

    Raises:
        ValueError: when a size is below 1 or ``gain`` not positive.
    """

    @checked(num_outputs=size(), cell_size=size(), gain=POSITIVE)
    @limited_weights
    def __init__(self, num_outputs: int = 4, cell_size: int = 64, gain: float = 1.0) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self.cell_size = cell_size
        self.gain = gain
        self.percept_size = (1, num_outputs)  # feedback and last actions
        self.identifier_size = 0
        self.hidden_size = 2 * cell_size
        self.cell = nn.LSTMCell(1 + num_outputs, cell_size)
        self.readout = nn.Linear(cell_size, num_outputs)
        scale_weights(self, gain)

    def traits(self, identifier: Float[Tensor, "V 0"]) -> None:
        """None: there is nobody to be told apart from."""

    def forward(
        self,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        traits: None,
        wiring: Wiring,
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, "V d"]]:
        """One step; nothing comes along the edges, if there are any."""
        output, memory = self.cell(percept, hidden.tensor_split(2, dim=-1))
        return torch.cat([output, memory], dim=-1), self.readout(output)

    def messages(self, hidden: Float[Tensor, "V H"], traits: None) -> Float[Tensor, "V M"]:
        """Its output h, for pictures: nobody hears it."""
        return hidden[:, : self.cell_size]
