"""A supervised task of your own: examples with inputs, and labels that come afterwards."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from badger_graph import Interface, Observation, Task, TaskFamily


class LinearTables(TaskFamily):
    r"""Which of d classes is a random example of? A linear teacher says so after each answer.

    .. math::
        y = \arg\max_j (W x)_j, \qquad e = -\log \mathrm{softmax}(s)_y / \log d

    In every step an agent sees an example, scores the classes, and is then told the right one
    together with the next example.

    Args:
        num_inputs: n, features of an example.
    """

    interface = Interface(feedback=1, input=1, output=1)

    def __init__(self, num_inputs: int = 3) -> None:
        self.num_inputs = num_inputs

    @property
    def chance(self) -> float:
        return 1.0  # scores of zeros give all classes the same share

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        if num_outputs < 2:
            raise ValueError(f"a table needs at least two classes, got {num_outputs}")
        device = generator.device if generator is not None else None
        shape = (batch_size, num_outputs, self.num_inputs)
        return LinearTable(torch.randn(shape, generator=generator, device=device))


class LinearTable(Task):
    """Remembers the example to be answered."""

    stochastic = True

    def __init__(self, teacher: Tensor) -> None:
        self.batch_size, self.num_outputs, self.num_inputs = teacher.shape
        self.teacher = teacher

    def reset(self, generator: Generator | None = None) -> tuple[Tensor, Observation]:
        example = self._draw(generator)
        no_label = example.new_zeros(self.batch_size, self.num_outputs)
        return example, self._shown(example, no_label, example.new_zeros(self.batch_size))

    def step(
        self, state: Tensor, action: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Observation, Tensor]:
        label = torch.einsum("bdn,bn->bd", self.teacher, state).argmax(dim=1)
        error = F.cross_entropy(action, label, reduction="none") / math.log(self.num_outputs)
        example = self._draw(generator)
        one_hot = F.one_hot(label, self.num_outputs).to(example)
        return example, self._shown(example, one_hot, error), error

    def _draw(self, generator: Generator | None) -> Tensor:
        shape, device = (self.batch_size, self.num_inputs), self.teacher.device
        return torch.randn(shape, generator=generator, device=device).to(self.teacher)

    def _shown(self, example: Tensor, label: Tensor, error: Tensor) -> Observation:
        return Observation(error[:, None], example[..., None], label[..., None])
