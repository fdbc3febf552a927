"""The shapes that every module speaks of, defined once.

=====  ==========================================
B      agents in a batch
N      experts per agent
V      nodes of the batch, ``B * N``
E      edges
H      size of an expert's hidden state
M      size of a message
P      size of a percept
I      size of an identifier
d      outputs of an agent
T      inner-loop steps of a rollout
R      communication rounds in one inner-loop step
=====  ==========================================
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from topologies import Edges

__all__ = ["Edges", "Observation"]


class Observation(NamedTuple):
    """What the world shows an agent before it acts.

    Shapes:
        - **feedback:** ``[B]``, one number for the whole agent
        - **output_feedback:** ``[B, d]``, one number for each output
    """

    feedback: Float[Tensor, " B"]
    output_feedback: Float[Tensor, "B d"]
