"""Bandits: which of d arms pays best?"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from scipy.integrate import quad
from scipy.stats import norm
from torch import Generator, Tensor

from badger_graph.actions import Choice
from badger_graph.ranges import Range, between, check_range
from badger_graph.tasks.base import Task, TaskFamily
from badger_graph.typing import Interface, Observation
from topologies.checks import check, checked, size

Rewards = Literal["bernoulli", "gaussian"]


DEFAULT_PULLS: Range = [10, 200]


class Bandits(TaskFamily):
    r"""One of d arms is pulled in every step, and pays at random, in the mean its own value.

    .. math::
        \text{bernoulli:} \quad \mu_j \sim \mathcal{U}(0, 1), \; r \sim \mathrm{Bernoulli}(\mu_a)
        \qquad
        \text{gaussian:} \quad \mu_j \sim \mathcal{N}(0, 1), \; r \sim \mathcal{N}(\mu_a, 1)

    The agent is told how much of its life is left and how long it is; each output, whether it was
    chosen, and if so the reward. The error is the regret in units of its mean for choosing blindly,

    .. math::
        e = \frac{\max_j \mu_j - \mu_a}{\mathbb{E} \max_j \mu_j - \mathbb{E} \mu_j}

    so that its sum says what a life cost, and 1 is chance. Its gradient is that of its expectation
    over the choice; what is told carries none, so what a choice led to later is for
    :class:`badger_graph.ScoreFunction` to find.

    Source: Duan et al. 2016, "RL²", section 3.1: the bandits with uniform means.

    Args:
        rewards: what arms pay, ``"bernoulli"`` or ``"gaussian"``.
        num_pulls: T, a number, or a range to draw from in every outer step, evenly in its
            logarithm.
        most_numbers: a batch is made smaller where its bandits, arms and pulls multiply to more.

    Raises:
        ValueError: for an empty range or a number below 1.
    """

    interface = Interface(feedback=2, output=2, action=Choice())

    @checked(most_numbers=size(most=2**40))
    def __init__(
        self,
        rewards: Rewards = "bernoulli",
        num_pulls: Range = DEFAULT_PULLS,
        most_numbers: int = 200_000,
    ) -> None:
        check_range("num_pulls", num_pulls)
        self.rewards = rewards
        self.num_pulls = num_pulls
        self.most_numbers = most_numbers

    @property
    def chance(self) -> float:
        return 1.0

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: Generator | None = None
    ) -> Bandit:
        """Sample a batch of bandits, as many as there is room for, all for as many pulls.

        Args:
            batch_size: bandits B, at most.
            num_outputs: arms d.
            generator: source of the random draws; the bandits are on its device.

        Raises:
            ValueError: for less than two arms.
        """
        check("num_outputs, the arms of a bandit,", num_outputs, *size(2))
        device = generator.device if generator is not None else None
        draw = torch.rand if self.rewards == "bernoulli" else torch.randn
        share = float(torch.rand(1, generator=generator, device=device))
        num_pulls = between(self.num_pulls, share)
        room = max(1, self.most_numbers // (num_outputs * num_pulls))
        value = draw(min(batch_size, room), num_outputs, generator=generator, device=device)
        return Bandit(value, self.rewards, num_pulls)


class Bandit(Task):
    """One batch of bandits; its state is the number of pulls so far.

    Feedback has two channels: the part of the life that is left, and log T / 5. An output has two:
    whether it was chosen, and the reward if so, else 0.

    Args:
        value: what each arm pays in the mean, ``[B, d]``.
        rewards: of which kind, ``"bernoulli"`` or ``"gaussian"``.
        num_steps: pulls T of a life.

    Raises:
        ValueError: for no pulls, less than two arms, a value that is not finite, or of a Bernoulli
            arm no probability.
    """

    num_steps: int
    stochastic = True

    @checked(num_steps=size())
    def __init__(self, value: Float[Tensor, "B d"], rewards: Rewards, num_steps: int) -> None:
        self.batch_size, self.num_outputs = value.shape
        check("the number of arms", self.num_outputs, *size(2))
        right = value.isfinite()
        if rewards == "bernoulli":
            right &= (value >= 0) & (value <= 1)
        if not right.all():
            rule = "probabilities" if rewards == "bernoulli" else "finite"
            raise ValueError(f"the values of arms must be {rule}, got {float(value[~right][0])}")
        self.value = value
        self.rewards: Rewards = rewards
        self.num_steps = num_steps
        self.blind = regret_of_chance(self.num_outputs, rewards)

    def repeat(self, times: int) -> Bandit:
        return Bandit(self.value.repeat_interleave(times, 0), self.rewards, self.num_steps)

    def reset(self, generator: Generator | None = None) -> tuple[int, Observation]:
        nothing = torch.zeros_like(self.value)
        return 0, self._observation(0, nothing, nothing)

    def step(
        self, state: int, action: Float[Tensor, "B d"], generator: Generator | None = None
    ) -> tuple[int, Observation, Float[Tensor, " B"]]:
        chosen = action.detach()
        mean = (chosen * self.value).sum(dim=1, keepdim=True)
        if self.rewards == "bernoulli":
            reward = mean.clamp(0, 1).bernoulli(generator=generator)
        else:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            reward = mean + noise.to(mean)
        regret = self.value.amax(dim=1) - (action * self.value).sum(dim=1)
        return state + 1, self._observation(state + 1, chosen, chosen * reward), regret / self.blind

    def _observation(self, pulls: int, chosen: Tensor, reward: Tensor) -> Observation:
        left = max(0, self.num_steps - pulls) / self.num_steps
        time = chosen.new_tensor([left, math.log(self.num_steps) / 5])
        return Observation(
            time.expand(self.batch_size, 2),
            chosen.new_zeros(self.batch_size, 0, 0),
            torch.stack([chosen, reward], dim=-1),
        )


def regret_of_chance(num_arms: int, rewards: Rewards) -> float:
    r"""What choosing blindly loses with every pull, in the mean, over all bandits of a kind.

    .. math::
        \mathbb{E} \max_j \mu_j - \mathbb{E} \mu_j

    which for uniform values is d / (d + 1) - 1 / 2, and for normal ones an integral.
    """
    if rewards == "bernoulli":
        return num_arms / (num_arms + 1) - 0.5
    best, _ = quad(
        lambda x: x * num_arms * norm.pdf(x) * norm.cdf(x) ** (num_arms - 1), -12, 12, limit=200
    )
    return float(best)
