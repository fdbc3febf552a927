"""A game of your own: numbers to guess, told by one bit."""

import torch
from torch import Generator, Tensor

from badger_graph import Interface, Observation, Task, TaskFamily


class HotAndCold(TaskFamily):
    """The guessing game with one bit of feedback: was the last guess better than the one before?

    Source: the hot/cold signal of Rosa et al. 2019, "Generality".
    """

    interface = Interface(feedback=1)

    @property
    def chance(self) -> float:
        return 1 / 3

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        device = generator.device if generator is not None else None
        uniform = torch.rand(batch_size, num_outputs, generator=generator, device=device)
        return HotAndColdTask(2 * uniform - 1)


class HotAndColdTask(Task):
    """Remembers the error of the last guess."""

    def __init__(self, target: Tensor) -> None:
        self.batch_size, self.num_outputs = target.shape
        self.target = target

    def reset(self, generator: Generator | None = None) -> tuple[Tensor, Observation]:
        error = self.target.square().mean(dim=1)
        return error, self._told(torch.zeros_like(error))

    def step(
        self, state: Tensor, action: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Observation, Tensor]:
        error = (action - self.target).square().mean(dim=1)
        return error, self._told((error < state).to(error)), error

    def _told(self, warmer: Tensor) -> Observation:
        nothing = warmer.new_zeros(self.batch_size, 0, 0)
        return Observation(warmer[:, None], nothing, warmer.new_zeros(*self.target.shape, 0))
