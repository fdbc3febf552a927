"""An outer gradient of your own: evolution strategies, which need no derivative of anything."""

import torch

from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.gradients import OuterGradient, hand_on
from badger_graph.outer.objective import Objective, Outcome


class Evolution(OuterGradient):
    r"""The gradient of the meta-loss smoothed by noise on the weights, by antithetic pairs.

    .. math::
        g = \frac{1}{n} \sum_{k=1}^n \frac{\mathcal{L}(\theta + \sigma \epsilon_k)
            - \mathcal{L}(\theta - \sigma \epsilon_k)}{2 \sigma} \, \epsilon_k, \qquad
            \epsilon_k \sim \mathcal{N}(0, 1)

    Source: Salimans et al. 2017, "Evolution strategies as a scalable alternative".

    Args:
        pairs: n.
        sigma: standard deviation of the noise.
    """

    def __init__(self, pairs: int = 16, sigma: float = 0.05) -> None:
        self.pairs = pairs
        self.sigma = sigma

    @torch.no_grad()
    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        weights = objective.weights
        before = [weight.clone() for weight in weights]
        gradients = [torch.zeros_like(weight) for weight in weights]
        generator = torch.Generator(weights[0].device).manual_seed(seed)
        try:
            for _ in range(self.pairs):
                noise = [torch.empty_like(one).normal_(generator=generator) for one in weights]
                ends = []
                for sign in (1, -1):
                    for weight, own, draw in zip(weights, before, noise, strict=True):
                        weight.copy_(own + sign * self.sigma * draw)
                    ends.append(objective(seed, lesson).meta_loss)
                slope = (ends[0] - ends[1]) / (2 * self.sigma * self.pairs)
                for gradient, draw in zip(gradients, noise, strict=True):
                    gradient += slope * draw
        finally:
            for weight, own in zip(weights, before, strict=True):
                weight.copy_(own)
        outcome = objective(seed, lesson)
        return outcome._replace(meta_loss=hand_on(outcome.meta_loss, gradients, weights))
