"""The crossbar: an expert on every crossing of a wire of an input with one of an output."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from topologies.base import Topology, batch_of
from topologies.recent import Recent
from topologies.wires import Wires


class CrossbarLayout(NamedTuple):
    """How many wires there are of each kind; experts are numbered as follows.

    First those on the crossings of inputs and outputs, input by input. Then, for one hidden wire
    after the other, those on its crossings with all inputs and those with all outputs; so another
    hidden wire adds experts at the end.

    Args:
        inputs: wires of inputs, the last of them always 1; n + 1.
        outputs: wires of outputs, d.
        hidden: hidden wires, K.
    """

    inputs: int
    outputs: int
    hidden: int

    @classmethod
    def of(cls, num_experts: int, num_outputs: int, num_inputs: int) -> CrossbarLayout:
        """The layout of an agent of that size, whose hidden wires follow from its experts.

        Args:
            num_experts: experts N, (n + 1) d + K (n + 1 + d).
            num_outputs: outputs d.
            num_inputs: inputs n of the world, without the one that is always 1.

        Raises:
            ValueError: when no number of hidden wires K has so many experts, or there is no output.
        """
        inputs = num_inputs + 1
        direct, unit = inputs * num_outputs, inputs + num_outputs
        hidden, rest = divmod(num_experts - direct, unit)
        if num_outputs < 1 or hidden < 0 or rest:
            raise ValueError(
                f"a crossbar of {num_inputs} inputs and {num_outputs} outputs, at least one of "
                f"these, must have (n + 1) d = {direct} experts and n + 1 + d = {unit} more for "
                f"every hidden wire, got num_experts={num_experts}"
            )
        return cls(inputs, num_outputs, hidden)

    @property
    def direct(self) -> int:
        """Experts on crossings of inputs and outputs."""
        return self.inputs * self.outputs

    @property
    def unit(self) -> int:
        """Experts on a hidden wire."""
        return self.inputs + self.outputs

    @property
    def num_experts(self) -> int:
        """Experts N, those on all crossings."""
        return self.direct + self.hidden * self.unit

    def wires(self) -> Wires:
        """Of every expert the wire that it takes from, and the one that it gives to.

        Wires are numbered inputs first, then outputs, then hidden ones.
        """
        inputs = torch.arange(self.inputs)
        outputs = self.inputs + torch.arange(self.outputs)
        hidden = self.unit + torch.arange(self.hidden)
        take = [inputs[:, None].expand(-1, self.outputs).flatten()]
        give = [outputs.repeat(self.inputs)]
        own = hidden[:, None]
        take.append(torch.cat([inputs.expand(self.hidden, -1), own.expand(-1, self.outputs)], 1))
        give.append(torch.cat([own.expand(-1, self.inputs), outputs.expand(self.hidden, -1)], 1))
        wire = torch.stack([torch.cat([part.flatten() for part in ends]) for ends in (take, give)])
        return Wires(wire, self.unit + self.hidden)


class CrossbarTopology(Topology):
    """Experts hear those on the same wire: of an input, of an output, or a hidden one between.

    For :class:`badger_graph.CrossbarMembrane`, which says what the wires carry. An expert has two
    wires, the one that it takes from and the one that it gives to, and hears them apart, so its
    policy must be one for wires, such as :class:`badger_graph.WiredFastWeightPolicy`. With n inputs
    and d outputs there are (n + 1) d experts, the last row for an input that is always 1, and
    n + 1 + d more for each hidden wire (:class:`topologies.crossbar.CrossbarLayout`). Memory grows
    with the number of experts, not of pairs.

    Source: the crossbar of Steinbuch's learning matrix, "Die Lernmatrix", 1961; hidden wires are
    ours.

    Raises:
        ValueError: when it is asked for a number of experts that no number of hidden wires has.
    """

    sees_ports: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._wires: Recent[Wires] = Recent()

    def forward(  # type: ignore[override]  # wires in the place of edges
        self,
        hidden: Float[Tensor, "B N H"],
        generator: torch.Generator | None = None,
        num_outputs: int = 0,
        num_inputs: int = 0,
    ) -> Wires:
        batch_size, num_experts = batch_of(hidden)
        layout = CrossbarLayout.of(num_experts, num_outputs, num_inputs)
        key = (batch_size, layout, hidden.device)
        wires = self._wires.get(key)
        if wires is None:
            with torch.inference_mode(False):  # or training could not use it later
                wires = layout.wires().repeat(batch_size, num_experts)
                wires = wires._replace(wire=wires.wire.to(hidden.device))
            self._wires.keep(key, wires, wires.wire.numel())
        return wires
