"""A player of bandits that learns while it plays."""

from __future__ import annotations

import math
from numbers import Real
from pathlib import Path

import torch

from badger_graph.online.policy import load_for
from badger_graph.tasks import Bandits
from badger_graph.typing import Observation
from topologies.checks import SEED, checked, size


class BanditPlayer:
    """Chooses one of d arms, again and again, and learns from their rewards which pays best.

    An agent with a frozen policy lives with the bandit, an expert for each arm. It spends its
    pulls according to how many there will be. :meth:`choose` and :meth:`reward` take turns.

    Args:
        num_arms: arms d, at least two.
        num_pulls: how often it will choose.
        policy: a shipped policy for bandits, or a checkpoint of your own.
        seed: of its choices, which are drawn at random.

    Attributes:
        agent: the agent, frozen.
        life: its life so far; :func:`badger_graph.to_pyg` shows what its experts do.
        pulls: how often it has chosen.

    Raises:
        ValueError: for less than two arms, no pulls, or a policy that is none.
    """

    @checked(num_arms=size(2), num_pulls=size(), seed=SEED)
    def __init__(
        self, num_arms: int, num_pulls: int, policy: str | Path = "bandits-0", seed: int = 0
    ) -> None:
        self.num_arms = num_arms
        self.num_pulls = num_pulls
        self.agent = load_for(policy, Bandits.interface)
        self.generator = torch.Generator().manual_seed(seed)
        self.life = self.agent.reset(1, num_arms, num_arms, self.generator)
        self.pulls = 0
        self._told = torch.zeros(1, num_arms, 2)
        self._waiting = False

    def choose(self) -> int:
        """The arm to pull next, from 0 to d - 1.

        Raises:
            ValueError: when the last reward was not told, or there are no pulls left.
        """
        if self._waiting:
            raise ValueError("the reward of the last choice must be told before the next one")
        if self.pulls == self.num_pulls:
            raise ValueError(f"a player must be made for all its pulls, got {self.pulls} already")
        left = (self.num_pulls - self.pulls) / self.num_pulls
        time = torch.tensor([[left, math.log(self.num_pulls) / 5]])
        observation = Observation(time, torch.zeros(1, 0, 0), self._told)
        with torch.no_grad():
            self.life = self.agent.step(self.life, observation, self.generator)
        self.pulls += 1
        self._waiting = True
        return int(self.life.action.argmax())

    def reward(self, reward: float) -> None:
        """Tell what the last choice paid.

        Args:
            reward: a finite number; the shipped policies were trained with 1 and 0.

        Raises:
            ValueError: when it is no finite number, or nothing was chosen.
        """
        if not isinstance(reward, Real) or not math.isfinite(reward):
            raise ValueError(f"a reward must be a finite number, got {reward!r}")
        if not self._waiting:
            raise ValueError("an arm must be chosen before its reward is told")
        chosen = self.life.action.detach()
        self._told = torch.stack([chosen, chosen * float(reward)], dim=-1)
        self._waiting = False
