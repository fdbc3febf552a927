"""The frequency principle in supervised learning: which wave does an LSTM learn first?"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.analysis import wave_amplitudes
from badger_graph.experiments.why_hard.amplitudes import Course
from badger_graph.tasks.waves import waves
from topologies.checks import POSITIVE, SEED, checked, size

TEST_TASKS = 64
"""Phases, evenly spaced, that amplitudes are measured on."""


class SupervisedLSTM(nn.Module):
    r"""Told the phase, says the samples of :class:`badger_graph.SumOfWaves` one after the other.

    .. math::
        y_i = W h_i + b, \qquad
        h_i = \mathrm{LSTM}\big((x_i, \cos\varphi, \sin\varphi), h_{i-1}\big), \qquad
        x_i = \frac{2 i}{n - 1} - 1

    Source: Šimánek (blog), "F-principle": "Supervised LSTM, hidden_size=64, 1 layer"; how it is
    told the phase is ours.

    Args:
        hidden_size: size of the LSTM's output.

    Raises:
        ValueError: when ``hidden_size`` is below 1.
    """

    @checked(hidden_size=size())
    def __init__(self, hidden_size: int = 64) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(3, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, phase: Float[Tensor, " B"], num_outputs: int) -> Float[Tensor, "B n"]:
        position = torch.linspace(-1, 1, num_outputs, device=phase.device).expand(len(phase), -1)
        code = torch.stack([phase.cos(), phase.sin()], dim=-1)[:, None].expand(-1, num_outputs, -1)
        output, _ = self.lstm(torch.cat([position[..., None], code], dim=-1))
        return self.readout(output).squeeze(-1)


@checked(
    seed=SEED,
    num_steps=size(),
    record_every=size(),
    batch_size=size(),
    learning_rate=POSITIVE,
)
def train_supervised(
    seed: int,
    num_outputs: int = 41,
    num_steps: int = 5000,
    record_every: int = 100,
    batch_size: int = 64,
    hidden_size: int = 64,
    learning_rate: float = 1e-3,
) -> Course:
    """Train one network by plain regression, and record the amplitude of every frequency.

    Args:
        seed: of weights and phases.
        num_outputs: samples n = 2 K + 1.
        num_steps: training steps of Adam, each on new phases.
        record_every: steps between two records.
        batch_size: phases in a step.
        hidden_size: of the LSTM.
        learning_rate: of Adam.

    Raises:
        ValueError: when a size is too small, ``num_outputs`` even, or ``learning_rate`` not
            positive.
    """
    phase = torch.arange(TEST_TASKS) * (2 * math.pi / TEST_TASKS)
    target = waves(phase, num_outputs)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):  # modules draw their weights from the global generator
        torch.manual_seed(seed)
        network = SupervisedLSTM(hidden_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    steps, amplitudes = [], []
    for step in range(num_steps + 1):
        if step % record_every == 0:
            with torch.no_grad():
                guess = network(phase, num_outputs)
            steps.append(step)
            amplitudes.append(wave_amplitudes(guess, target).in_phase.mean(dim=0).tolist())
        if step < num_steps:
            phases = 2 * math.pi * torch.rand(batch_size, generator=generator)
            error = (network(phases, num_outputs) - waves(phases, num_outputs)).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
    return Course(steps, amplitudes)
