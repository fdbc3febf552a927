"""A long short-term memory that is a whole agent by itself."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_graph.policies.base import ExpertPolicy, Neighbours, scale_weights
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
        percept_size: channels of the feedback, and outputs d, as the membrane shows them.
        identifier_size: of the agent; there is nobody to be told apart from.
        hidden_size: size H of the state, h and c: an even number.
        gain: factor of all weights at the start, as in :class:`badger_graph.GRUPolicy`: with 1.65
            the first plateau is shorter.

    Shapes:
        - **hidden:** ``[V, H]``, of h and c, one after the other
        - **percept:** ``[V, F + d]``

    Raises:
        ValueError: when the membrane does not show feedback and actions of all outputs, H is odd
            or ``gain`` not positive.
    """

    usual_sizes: ClassVar[dict[str, int]] = {"identifier_size": 0, "hidden_size": 128}

    @checked(identifier_size=size(0), hidden_size=size(2), gain=POSITIVE)
    @limited_weights
    def __init__(
        self,
        percept_size: int | tuple[int, ...],
        identifier_size: int,
        hidden_size: int,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        if not isinstance(percept_size, tuple) or len(percept_size) != 2:
            raise ValueError(
                "an LSTMPolicy must be shown feedback and all last actions, as by a WholeMembrane, "
                f"got percept_size={percept_size}"
            )
        if hidden_size % 2:
            raise ValueError(f"hidden_size must be even, half h and half c, got {hidden_size}")
        self.percept_size = percept_size
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size
        self.gain = gain
        self.cell = nn.LSTMCell(sum(percept_size), hidden_size // 2)
        self.readout = nn.Linear(hidden_size // 2, percept_size[1])
        scale_weights(self, gain)

    def traits(self, identifier: Float[Tensor, "V I"], kind: Int[Tensor, " V"]) -> None:
        """None: there is nobody to be told apart from."""

    def round(
        self,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        traits: None,
        neighbours: Neighbours,
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, "V d"]]:
        """One step; nothing comes along the edges, if there are any."""
        output, memory = self.cell(percept, hidden.tensor_split(2, dim=-1))
        return torch.cat([output, memory], dim=-1), self.readout(output)

    def messages(self, hidden: Float[Tensor, "V H"], traits: None) -> Float[Tensor, "V M"]:
        """Its output h, for pictures: nobody hears it."""
        return hidden.tensor_split(2, dim=-1)[0]
