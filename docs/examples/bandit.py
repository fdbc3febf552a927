"""A bandit of your own: choices, and rewards of what was chosen."""

import torch
from torch import Generator, Tensor

from badger_graph import Choice, Interface, Observation, Task, TaskFamily


class Bandits(TaskFamily):
    r"""One of d arms is pulled in every step, and pays with its own probability.

    .. math::
        p_j \sim \mathcal{U}(0, 1), \qquad r \sim \mathrm{Bernoulli}(p_a), \qquad
        e = \frac{\max_j p_j - p_a}{\max_j p_j - \bar p}

    The agent is told the reward, and each output whether it was the one. The error is the regret,
    in units of that of pulling any arm.
    """

    interface = Interface(feedback=1, output=1, action=Choice())

    @property
    def chance(self) -> float:
        return 1.0

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        if num_outputs < 2:
            raise ValueError(f"a bandit needs at least two arms, got {num_outputs}")
        device = generator.device if generator is not None else None
        return Bandit(torch.rand(batch_size, num_outputs, generator=generator, device=device))


class Bandit(Task):
    """Arms that stay as they are; has no state."""

    stochastic = True

    def __init__(self, probability: Tensor) -> None:
        self.batch_size, self.num_outputs = probability.shape
        self.probability = probability

    def reset(self, generator: Generator | None = None) -> tuple[None, Observation]:
        nothing = torch.zeros_like(self.probability)
        return None, self._told(nothing[:, 0], nothing)

    def step(
        self, state: None, action: Tensor, generator: Generator | None = None
    ) -> tuple[None, Observation, Tensor]:
        expected = (action * self.probability).sum(dim=1)
        reward = expected.detach().clamp(0, 1).bernoulli(generator=generator)
        best, usual = self.probability.amax(dim=1), self.probability.mean(dim=1)
        return None, self._told(reward, action), (best - expected) / (best - usual)

    def _told(self, reward: Tensor, action: Tensor) -> Observation:
        nothing = reward.new_zeros(self.batch_size, 0, 0)
        return Observation(reward[:, None], nothing, action[..., None])
