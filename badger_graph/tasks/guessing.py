"""The guessing game: think of d numbers and let the experts guess them."""

from __future__ import annotations

import torch

from badger_graph.tasks.hidden_target import GuessingTask, HiddenTarget
from topologies.checks import check_numbers, checked, size


class GuessingGame(HiddenTarget):
    r"""Guess d numbers from a scalar that says how wrong the last guess was.

    Targets are uniform in :math:`[-1, 1]^d`. The error of a guess :math:`x` is

    .. math::
        e(x) = \frac{1}{d} \sum_{j=1}^d |x_j - t_j|^q, \qquad q = 2 \text{ (MSE) or } 1 \text{ (L1)}

    and chance, always guessing zero, is 1/3 (MSE) or 1/2 (L1).

    Source: Rosa et al. 2019, "Experiment - Guessing Game"; Šimánek (blog), "Guessing Game",
    "Why are the plateaus present?" (L1) and "F-principle" (error in 12 bins).

    Args:
        error: what a guess is scored by, in the feedback and in the meta-loss.
        feedback: ``"scalar"``: one number for the agent; ``"per_output"``: each output's own error.
        bins: pass the feedback on in so many equal bins of [0, 1], as the middle of its bin;
            errors above 1 fall in the last one, and no gradient flows through it.

    Raises:
        ValueError: for an unknown error or feedback, or fewer than two bins.
    """

    @property
    def chance(self) -> float:
        return 1 / 3 if self.error == "mse" else 1 / 2

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: torch.Generator | None = None
    ) -> GuessingTask:
        check_numbers("targets", batch_size=batch_size, num_outputs=num_outputs)
        device = generator.device if generator is not None else None
        uniform = torch.rand(batch_size, num_outputs, generator=generator, device=device)
        return GuessingTask(2 * uniform - 1, self)
