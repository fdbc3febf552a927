"""A membrane whose experts are the weights between inputs and outputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.actions import Distribution
from badger_graph.life import Addresses, Life
from badger_graph.membranes.base import Membrane
from badger_graph.policies.base import silent_network
from badger_graph.typing import Interface, Observation
from topologies.checks import POSITIVE, checked, size
from topologies.crossbar import CrossbarLayout

PERCEPT_SIZE = 8 + 3 + 2
"""What is on both wires, which of three kinds of crossings an expert is, and the numbers of inputs
and outputs."""


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
    def of(cls, values: Float[Tensor, " V *any"], life: Life) -> Blocks:
        """The blocks of numbers of all experts, agent after agent.

        Args:
            values: ``[V, ...]``, of each expert.
            life: whose experts they are; gives the sizes.
        """
        each = values.unflatten(0, (life.batch_size, life.num_experts))
        return cls.split(each, life.num_outputs, life.num_inputs)

    @classmethod
    def split(cls, values: Float[Tensor, "B N *any"], num_outputs: int, num_inputs: int) -> Blocks:
        """The same of ``[B, N, ...]``, of agents with d outputs and n inputs of the world."""
        layout = CrossbarLayout.of(values.size(1), num_outputs, num_inputs)
        direct = values[:, : layout.direct].unflatten(1, (layout.inputs, layout.outputs))
        units = values[:, layout.direct :].unflatten(1, (layout.hidden, layout.unit))
        return cls(direct, units[:, :, : layout.inputs], units[:, :, layout.inputs :])

    def join(self) -> Float[Tensor, " V *any"]:
        """The numbers of all experts, agent after agent."""
        units = torch.cat([self.before, self.after], dim=2)
        return torch.cat([self.direct.flatten(1, 2), units.flatten(1, 2)], dim=1).flatten(0, 1)


class CrossbarMembrane(Membrane):
    r"""Expert (i, j) takes from input i and gives to output j; prototypes compete in between.

    Experts are on all crossings of wires of inputs with those of outputs and with hidden wires, and
    on those of hidden wires with outputs; :class:`topologies.crossbar.CrossbarLayout` numbers them.

    With :math:`x_i` the number that input i shows, and :math:`x_0 = \kappa` on a wire of its own,
    the score of output j is

    .. math::
        s_j = \frac{1}{\sqrt{n + 1}} \sum_i (y_{ij} + w_{ij} x_i) + \sum_k z_k (y_{kj} + w_{kj}),
        \qquad
        z = \alpha n^{-\gamma} \frac{p}{\lVert p \rVert}, \qquad
        p = \mathrm{softmax}_k \Big( -\frac{\beta}{2 \sqrt{n + 1}} \sum_i (x_i - w_{ki})^2 \Big)

    where :math:`y` is what an expert says and :math:`w` the first number of its state and what a
    small network, which all experts share, reads of all of it; sums leave out what is missing;
    :math:`\alpha, \beta, \gamma` and :math:`\kappa` are learned. So
    hidden wires hold prototypes, which begin at random (where identifiers say), and only those near
    an example are active for it: what is learned of some is not lost over others. Once an example
    is answered, every expert perceives what its two wires carried and how wrong that was,
    :math:`e_j = t_j - a_j` with :math:`a_j` the action and :math:`t_j` the truth, zero where
    output j is told none; and before it the step of a classical rule,

    .. math::
        \Delta w_{ij} = c\, x_i e_j / \pi^\nu, \qquad
        \Delta w_{kj} = z_k e_j / \pi^\nu, \qquad
        \Delta w_{ki} = p_k (x_i - w_{ki}), \qquad
        \pi = \frac{1}{n + 1} \sum_i x_i^2 + \sum_k z_k^2

    For numbers :math:`c = 1 / \sqrt{n + 1}` and :math:`\nu = 1`, the least change after which the
    answer would have been right (normalised least mean squares). For probabilities c = 1 and
    :math:`\nu = 1/2`, half way from there to the gradient, which on real tables was better than
    either. Prototypes come nearer to the example (competitive learning), and perceive the gradient
    of their part in the error apart.

    Experts know of which kind their crossing is, and how many inputs and outputs there are. If no
    output was told anything, they perceive the last action only besides.

    There may be any number of inputs, hidden wires and outputs, of which those of inputs and
    outputs are the world's, and that of hidden wires follows from the number of experts. Permuting
    inputs or outputs together with their experts permutes all there is.

    Sources: Nagumo and Noda 1967, "A learning method for system identification"; Moody and Darken
    1989, "Fast learning in networks of locally-tuned processing units".

    Args:
        interface: of a world of examples: an input shows the example that was answered last and the
            one to answer now, each as a number and whether it is known, four channels; an output is
            told the truth about the last, and whether it is told, two channels.
        identifier_size: of the agent, at least 1; what tells hidden wires apart.
        hidden_size: size H of an expert's state.
        hidden_wires: K, where nobody says how many experts there are.
        sharpness: of the competition of prototypes at the start, :math:`\beta`.
        constant: what the constant wire shows at the start, :math:`\kappa`.

    Raises:
        ValueError: for another interface, no identifiers, a number of hidden wires below 0, or
            starts that are not positive.
    """

    @checked(
        identifier_size=size(),
        hidden_size=size(),
        hidden_wires=size(0),
        sharpness=POSITIVE,
        constant=POSITIVE,
    )
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        hidden_wires: int = 16,
        sharpness: float = 6.0,
        constant: float = 1.0,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        if (interface.feedback, interface.input, interface.output) != (0, 4, 2):
            raise ValueError(
                "a CrossbarMembrane needs a world of examples, with no feedback, 4 channels of an "
                f"input and 2 of an output, got {interface}"
            )
        self.hidden_wires = hidden_wires
        self.sharpness = sharpness
        self.constant = constant
        self.percept_size = PERCEPT_SIZE
        self.reading = silent_network(hidden_size)  # at first a weight is what the state says
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness)))
        # The more inputs there are, the less an example says of others near it.
        self.log_weight = nn.Parameter(torch.tensor([math.log(2), -0.4]))
        self.log_constant = nn.Parameter(torch.tensor(math.log(constant)))

    def usual_experts(self, num_outputs: int, num_inputs: int) -> int:
        return CrossbarLayout(num_inputs + 1, num_outputs, self.hidden_wires).num_experts

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        super().check(num_experts, num_outputs, num_inputs)
        CrossbarLayout.of(num_experts, num_outputs, num_inputs)

    def open(self, addresses: Addresses, identifier: Float[Tensor, "B N I"]) -> Float[Tensor, " V"]:
        """Where weights begin: prototypes at random, but not on the constant wire; others at 0."""
        num_inputs = addresses.inputs.size(1)
        blocks = Blocks.split(identifier[..., 0], addresses.outputs.size(1), num_inputs)
        start = 2 / math.sqrt(num_inputs + 1) * blocks.before
        start = torch.cat([start[..., :-1], self._constant.expand_as(start[..., -1:])], dim=-1)
        return Blocks(torch.zeros_like(blocks.direct), start, torch.zeros_like(blocks.after)).join()

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        value, known = self._with_constant(observation.inputs[..., :2])
        truth, told = observation.outputs.unbind(-1)
        answered = told.amax(dim=1, keepdim=True)
        value, known = value * answered, known * answered
        weight, action, error = self.weights(life), life.action, (truth - life.action) * told
        share, active = self._compete(weight, value, known)
        active = active * answered
        gain = active * (weight.after * error[:, None]).sum(dim=2)
        blame = gain - F.normalize(share, dim=1).square() * gain.sum(dim=1, keepdim=True)
        away = (value[:, None] - weight.before) * known[:, None]
        power = value.square().mean(dim=1, keepdim=True) + active.square().sum(dim=1, keepdim=True)
        power = power + 1 - answered  # the step of nothing is 0
        likely = isinstance(self.interface.action, Distribution)
        step = error / (power.sqrt() if likely else power)
        c = 1.0 if likely else value.size(1) ** -0.5
        # Each of inputs, hidden wires and outputs along its own dimension of a block.
        x, known = value[:, :, None], known[:, :, None]
        a, e, told = (channel[:, None] for channel in (action, error, told))
        direct = (c * x * step[:, None], x * a, x * e, x, known, a, e, told)
        z, b = active[:, :, None], blame[:, :, None]
        x, known, mark = x.mT, known.mT, answered[:, :, None]
        before = ((share * answered)[:, :, None] * away, b * away, z * x, x, known, z, b, mark)
        after = (z * step[:, None], z * a, z * e, z, mark, a, e, told)
        sizes = (math.log(value.size(1)) / 2, math.log(life.num_outputs) / 2)
        blocks = (direct, before, after)
        return Blocks(*(_stack(kind, sizes, *block) for kind, block in enumerate(blocks))).join()

    def act(
        self, life: Life, speech: Float[Tensor, " V"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        value, known = self._with_constant(observation.inputs[..., 2:])
        said, weight = Blocks.of(speech, life), self.weights(life)
        direct = (said.direct + weight.direct * value[..., None]).sum(dim=1)
        _, active = self._compete(weight, value, known)
        through = ((said.after + weight.after) * active[..., None]).sum(dim=1)
        return direct / math.sqrt(value.size(1)) + through

    def weights(self, life: Life) -> Blocks:
        """The w of all crossings, which the membrane reads of the states of experts.

        Args:
            life: of agents with this membrane; those by which it acted are in what came of it.
        """
        read = self.reading(life.hidden)[:, 0]
        return Blocks.of(life.contacts + life.hidden[:, 0] + read, life)

    def _compete(
        self, weight: Blocks, value: Float[Tensor, "B n"], known: Float[Tensor, "B n"]
    ) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """How active hidden wires are for an example, in parts of one, and how much that is."""
        away = ((value[:, None] - weight.before) * known[:, None]).square().sum(dim=2)
        sharpness = self.log_sharpness.exp() / (2 * math.sqrt(value.size(1)))
        share = (-sharpness * away).softmax(dim=1)
        num_inputs = max(value.size(1) - 1, 1)
        scale = (self.log_weight[0] + self.log_weight[1] * math.log(num_inputs)).exp()
        return share, scale * F.normalize(share, dim=1)

    @property
    def _constant(self) -> Float[Tensor, ""]:
        """What the constant wire shows."""
        return self.log_constant.exp()

    def _with_constant(
        self, inputs: Float[Tensor, "B n 2"]
    ) -> tuple[Float[Tensor, "B n+1"], Float[Tensor, "B n+1"]]:
        """What inputs show, 0 where missing, and if it is known; and after them a constant."""
        value, known = inputs.unbind(-1)
        constant = self._constant.expand(len(value), 1)
        return torch.cat([value * known, constant], dim=1), F.pad(known, (0, 1), value=1.0)


def _stack(kind: int, sizes: tuple[float, float], *channels: Tensor) -> Float[Tensor, "B r c P"]:
    """What experts on the crossings of one kind perceive."""
    first = channels[0]
    constant = first.new_tensor([*(float(kind == other) for other in range(3)), *sizes])
    each = torch.stack([channel.expand_as(first) for channel in channels], dim=-1)
    return torch.cat([each, constant.expand(*first.shape, len(constant))], dim=-1)
