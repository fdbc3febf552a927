"""A membrane whose experts are the weights between inputs and outputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane
from badger_graph.typing import Interface, Observation
from topologies.checks import checked, size
from topologies.crossbar import CrossbarLayout

INVERSE_TEMPERATURE = 4.0
"""Of the competition of hidden wires, so that it is neither even nor settled at the start."""

PERCEPT_SIZE = 7 + 3
"""What is on both wires, and which of three kinds of crossings an expert is."""


class Blocks(NamedTuple):
    """Numbers of experts by the kind of their crossing, with all inputs n + 1.

    Shapes:
        - **direct:** ``[B, n + 1, d, ...]``, of an input and an output
        - **before:** ``[B, K, n + 1, ...]``, of a hidden wire and an input
        - **after:** ``[B, K, d, ...]``, of a hidden wire and an output
    """

    direct: Tensor
    before: Tensor
    after: Tensor

    @classmethod
    def of(cls, values: Float[Tensor, V * any], life: Life) -> Blocks:
        """The blocks of numbers of all experts, agent after agent.

        Args:
            values: ``[V, ...]``, of each expert.
            life: whose experts they are; gives the sizes.
        """
        layout = CrossbarLayout.of(life.num_experts, life.num_outputs, life.num_inputs)
        each = values.unflatten(0, (life.batch_size, life.num_experts))
        direct = each[:, : layout.direct].unflatten(1, (layout.inputs, layout.outputs))
        units = each[:, layout.direct :].unflatten(1, (layout.hidden, layout.unit))
        return cls(direct, units[:, :, : layout.inputs], units[:, :, layout.inputs :])

    def join(self) -> Float[Tensor, V * any]:
        """The numbers of all experts, agent after agent."""
        units = torch.cat([self.before, self.after], dim=2)
        return torch.cat([self.direct.flatten(1, 2), units.flatten(1, 2)], dim=1).flatten(0, 1)


class CrossbarMembrane(Membrane):
    r"""Expert (i, j) takes from input i and gives to output j; hidden wires compete in between.

    Experts are on all crossings of wires of inputs with those of outputs and with hidden wires, and
    on those of hidden wires with outputs; :class:`topologies.crossbar.CrossbarLayout` numbers them.

    With :math:`x_i` the number that input i shows, 0 where it is missing, and :math:`x_0 = 1` on a
    wire of its own, the score of output j is

    .. math::
        s_j = \frac{1}{\sqrt{n + 1}} \sum_i (y_{ij} + w_{ij} x_i) + \sum_k z_k\, y_{kj}, \qquad
        z = \sqrt K\, \mathrm{softmax}_k \Big( \frac{4}{\sqrt{n + 1}} \sum_i w_{ki} x_i \Big)

    where :math:`y` is what an expert says and :math:`w` what the membrane reads of its state, by a
    small network that all experts share. Only a few hidden wires are active for an example, as only
    a few prototypes are near it: so what is learned of some is not lost over others. Once an
    example is answered, every expert perceives what its two wires carried and how wrong that was:
    for outputs and hidden wires

    .. math::
        e_j = t_j - a_j, \qquad e_k = z_k \sum_j w_{kj}\, e_j

    with :math:`a_j` the action and :math:`t_j` the truth, and :math:`e_j` zero where output j is
    told none; and the products of what is taken with what is given and with how wrong that was. If
    no output was told anything, an expert perceives the last action only.

    There may be any number of inputs, hidden wires and outputs, of which those of inputs and
    outputs are the world's, and that of hidden wires follows from the number of experts. Permuting
    inputs or outputs together with their experts permutes all there is.

    Args:
        interface: of a world of examples: an input shows the example that was answered last and the
            one to answer now, each as a number and whether it is known, four channels; an output is
            told the truth about the last, and whether it is told, two channels.
        identifier_size: of the agent; what tells hidden wires apart.
        hidden_size: size H of an expert's state.
        hidden_wires: K, where nobody says how many experts there are.

    Raises:
        ValueError: for another interface, or a number of hidden wires below 0.
    """

    @checked(hidden_size=size(), hidden_wires=size(0))
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        hidden_wires: int = 16,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        if (interface.feedback, interface.input, interface.output) != (0, 4, 2):
            raise ValueError(
                "a CrossbarMembrane needs a world of examples, with no feedback, 4 channels of an "
                f"input and 2 of an output, got {interface}"
            )
        self.hidden_wires = hidden_wires
        self.percept_size = PERCEPT_SIZE
        self.reading = nn.Sequential(
            nn.Linear(hidden_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, 1)
        )

    def usual_experts(self, num_outputs: int, num_inputs: int) -> int:
        return CrossbarLayout(num_inputs + 1, num_outputs, self.hidden_wires).num_experts

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        super().check(num_experts, num_outputs, num_inputs)
        CrossbarLayout.of(num_experts, num_outputs, num_inputs)

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        value, known = _with_constant(observation.inputs[..., :2])
        truth, told = observation.outputs.unbind(-1)
        answered = told.amax(dim=1, keepdim=True)
        weight = self.weights(life)
        error = (truth - life.action) * told
        active = self._compete(weight, value) * answered
        blame = active * (weight.after * error[:, None]).sum(dim=2)
        marks = answered.expand_as(active)
        inputs = torch.stack([value * answered, known * answered], dim=-1)
        outputs = torch.stack([life.action, error, told], dim=-1)
        before = torch.stack([active, blame, marks], dim=-1)
        after = torch.stack([active, marks], dim=-1)
        return Blocks(
            _crossings(inputs[:, :, None], outputs[:, None], 0),
            _crossings(inputs[:, None], before[:, :, None], 1),
            _crossings(after[:, :, None], outputs[:, None], 2),
        ).join()

    def act(
        self, life: Life, speech: Float[Tensor, " V"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        value, _ = _with_constant(observation.inputs[..., 2:])
        said, weight = Blocks.of(speech, life), self.weights(life)
        direct = (said.direct + weight.direct * value[..., None]).sum(dim=1)
        active = self._compete(weight, value)
        through = (said.after * active[..., None]).sum(dim=1)
        return direct / math.sqrt(value.size(1)) + through

    def weights(self, life: Life) -> Blocks:
        """The w of all crossings, which the membrane reads of the states of experts.

        Args:
            life: of agents with this membrane; those by which it acted are in what came of it.
        """
        return Blocks.of(self.reading(life.hidden)[:, 0], life)

    def _compete(self, weight: Blocks, value: Float[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """How active each hidden wire is for an example."""
        scale = INVERSE_TEMPERATURE / math.sqrt(value.size(1))
        share = (scale * (weight.before @ value[..., None])[..., 0]).softmax(dim=1)
        return math.sqrt(share.size(1)) * share


def _with_constant(
    inputs: Float[Tensor, "B n 2"],
) -> tuple[Float[Tensor, "B n+1"], Float[Tensor, "B n+1"]]:
    """What inputs show, 0 where it is missing, and whether it is known; and after them a 1."""
    value, known = F.pad(inputs, (0, 0, 0, 1), value=1.0).unbind(-1)
    return value * known, known


def _crossings(
    take: Float[
        Tensor,
        (
            B  # r #c 2
        ),
    ],
    give: Float[
        Tensor,
        (
            B  # r #c 3
        ),
    ],
    kind: int,
) -> Float[Tensor, "B r c P"]:
    """What experts on the crossings of wires perceive of both."""
    shape = torch.broadcast_shapes(take.shape[:3], give.shape[:3])
    take, give = take.expand(*shape, 2), give.expand(*shape, 3)
    products = take[..., :1] * give[..., :2]
    kinds = torch.zeros(3, device=take.device, dtype=take.dtype)
    kinds[kind] = 1
    return torch.cat([take, give, products, kinds.expand(*shape, 3)], dim=-1)
