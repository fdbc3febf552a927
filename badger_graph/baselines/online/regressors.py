"""What the best possible learner, and a plain one, know after so many examples."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def bayes_linear(
    inputs: Float[Tensor, "T B n"], target: Float[Tensor, "T B"], noise: float, prior: float
) -> Float[Tensor, "T B n"]:
    r"""The posterior mean of the weights before each example, exact.

    .. math::
        w \sim \mathcal{N}(0, \sigma_0^2 I), \qquad y = w \cdot x + \mathcal{N}(0, \sigma^2)

    Args:
        inputs: x of T examples, of B functions.
        target: y of each, as it is told.
        noise: :math:`\sigma`.
        prior: :math:`\sigma_0`.
    """
    _, batch_size, num_inputs = inputs.shape
    covariance = prior**2 * torch.eye(num_inputs, dtype=inputs.dtype).repeat(batch_size, 1, 1)
    weight = inputs.new_zeros(batch_size, num_inputs)
    weights = []
    for x, y in zip(inputs, target, strict=True):
        weights.append(weight)
        along = torch.einsum("bnm,bm->bn", covariance, x)
        gain = along / (noise**2 + (along * x).sum(dim=1, keepdim=True))
        weight = weight + gain * (y - (weight * x).sum(dim=1))[:, None]
        covariance = covariance - gain[..., None] * along[:, None]
    return torch.stack(weights)


def nlms(
    inputs: Float[Tensor, "T B n"], target: Float[Tensor, "T B"], rate: float
) -> Float[Tensor, "T B n"]:
    r"""The weights of normalised least mean squares before each example.

    .. math::
        w' = w + \eta \frac{(y - w \cdot x)\, x}{\lVert x \rVert^2}

    Source: Nagumo and Noda 1967, "A learning method for system identification".

    Args:
        inputs: x of T examples, of B functions.
        target: y of each, as it is told.
        rate: :math:`\eta`.
    """
    weight = torch.zeros_like(inputs[0])
    weights = []
    for x, y in zip(inputs, target, strict=True):
        weights.append(weight)
        size = x.square().sum(dim=1, keepdim=True).clamp_min(1e-3)
        weight = weight + rate * x * (y[:, None] - (weight * x).sum(dim=1, keepdim=True)) / size
    return torch.stack(weights)


def gaussian_process(
    seen: Float[Tensor, "B k n"],
    target: Float[Tensor, "B k"],
    asked: Float[Tensor, "B q n"],
    length: float,
    noise: float,
) -> Float[Tensor, "B q"]:
    """The posterior mean of a process with a squared exponential kernel of variance one.

    Args:
        seen: k inputs of each of B functions.
        target: what was told about them.
        asked: q inputs that are asked about.
        length: of the kernel.
        noise: standard deviation of what is told.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (-0.5 * torch.cdist(a, b).square() / length**2).exp()

    own = kernel(seen, seen) + noise**2 * torch.eye(seen.size(1), dtype=seen.dtype)
    return (kernel(asked, seen) @ torch.linalg.solve(own, target[..., None]))[..., 0]
