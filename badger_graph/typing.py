"""What every module speaks of, defined once: shapes, and what a world and an agent agree on.

=====  ==========================================
B      agents in a batch
N      experts per agent
V      nodes of the batch, ``B * N``
E      edges
H      size of an expert's hidden state
M      size of a message
P      size of a percept
I      size of an identifier
A      size of an address
d      outputs of an agent
n      inputs of an agent
F      channels of the agent's feedback
X      channels of an input
Y      channels of what an output is told
T      inner-loop steps of a rollout
R      communication rounds in one inner-loop step
=====  ==========================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from badger_graph.actions import Action, Real
from topologies import Edges
from topologies.checks import checked_fields, size

__all__ = ["Edges", "Interface", "Observation"]


@checked_fields(feedback=size(0), input=size(0), output=size(0))
@dataclass(frozen=True)
class Interface:
    """What a task family and an agent agree on: channels and their meaning, never counts.

    How many inputs n and outputs d there are, a task says; an agent serves any number of them.

    Args:
        feedback: F, channels that the whole agent is told: an error, a reward, hot or cold.
        input: X, channels that an input shows; 0 where there are no inputs.
        output: Y, channels that an output is told: its own error, a label, that it was chosen.
        action: what the scores of outputs mean.

    Raises:
        ValueError: for a negative number of channels.
    """

    feedback: int = 1
    input: int = 0
    output: int = 0
    action: Action = field(default_factory=Real)


class Observation(NamedTuple):
    """What the world shows an agent before it acts.

    Shapes:
        - **feedback:** ``[B, F]``, for the whole agent
        - **inputs:** ``[B, n, X]``, of each input
        - **outputs:** ``[B, d, Y]``, for each output
    """

    feedback: Float[Tensor, "B F"]
    inputs: Float[Tensor, "B n X"]
    outputs: Float[Tensor, "B d Y"]
