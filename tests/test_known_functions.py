"""Functions whose best possible learner is known."""

from __future__ import annotations

import torch
from properties import seeded

from badger_graph.tasks import GaussianProcesses, LinearFunctions


def test_what_is_told_is_linear_but_for_a_little_noise() -> None:
    task = LinearFunctions(num_inputs=5, num_examples=60).sample(200, 1, seeded(0))
    inputs, truth = task.inputs.transpose(0, 1), task.truth.transpose(0, 1)
    weight = torch.linalg.lstsq(inputs, truth).solution
    left = (truth - inputs @ weight).square().sum(dim=1) / (60 - 5)
    assert float(left.max()) < 2 * 0.2**2  # over five deviations of a mean over 55
    torch.testing.assert_close(left.mean(), torch.tensor(0.2**2 / 3), rtol=0.2, atol=0)
    torch.testing.assert_close(
        weight.square().sum(dim=1).mean(), torch.tensor(1.0), rtol=0.15, atol=0
    )


def test_samples_are_as_alike_as_the_kernel_says() -> None:
    family = GaussianProcesses(num_examples=2)
    task = family.sample(60_000, 1, seeded(0))
    x, y = task.inputs[..., 0], task.truth[..., 0]
    near = (x[0] - x[1]).abs() < 0.1
    far = (x[0] - x[1]).abs() > 2
    product = y[0] * y[1]
    assert 0.95 < float(y.square().mean()) < 1.1  # a little noise comes on top
    assert 0.9 < float(product[near].mean()) < 1.05
    assert abs(float(product[far].mean())) < 0.05
