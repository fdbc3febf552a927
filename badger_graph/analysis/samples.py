"""Samples of the experts' states, made ready for a measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from badger_graph.analysis.checks import check_finite, check_shape
from topologies.checks import checked


@checked()
def principal(states: Float[Tensor, "S N F"], components: int) -> Float[Tensor, "S N C"]:
    r"""States of all experts in the few directions in which they vary most over samples.

    .. math:: y_{si} = V^\top (x_{si} - \bar x_i), \qquad
        \frac{1}{SN} \sum_{si} (x_{si} - \bar x_i)(x_{si} - \bar x_i)^\top V = V \Lambda

    The policy is shared, so a direction means the same for every expert: one basis :math:`V` for
    all. Each expert varies around its own mean, since where it stands in all samples alike is no
    information. The sign of a direction is such that its largest coefficient is positive.

    Args:
        states: S samples of N experts' states of F features.
        components: how many directions C to keep, those of the largest variance.

    Returns:
        The projected states, in float64, of mean zero for each expert.

    Raises:
        ValueError: when C is not in 1..F, states have other dimensions, there is a single sample,
            or a state is not finite.
    """
    check_shape("states", states, "samples", "experts", "features")
    num_samples, _, num_features = states.shape
    if not 1 <= components <= num_features:
        raise ValueError(
            f"the components must be between 1 and the {num_features} features, got {components}"
        )
    if num_samples < 2:
        raise ValueError(f"principal components need at least 2 samples, got {num_samples}")
    check_finite("states", states)
    centred = states.double()
    centred = centred - centred.mean(dim=0)
    pooled = _rescale(centred.flatten(0, 1), dim=(0, 1))
    _, directions = torch.linalg.eigh(pooled.mT @ pooled / len(pooled))
    directions = directions.flip(1)[:, :components]
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    return centred @ (directions * largest.sign())


@checked()
def gaussianised(samples: Float[Tensor, "S C"]) -> Float[Tensor, "S C"]:
    r"""Every column's ranks as quantiles of the normal distribution: a Gaussian copula.

    .. math:: y_s = \Phi^{-1}\left(\frac{\mathrm{rank}(x_s)}{S + 1}\right)

    Equal values share the mean of their ranks, so a constant column becomes zero. What a column
    is like by itself is lost, how it depends on others is kept: measures of dependence no longer
    notice monotone maps of a feature, nor outliers.

    Source: Ince et al., "A statistical framework for neuroimaging data analysis based on mutual
    information estimated via a Gaussian copula", Human Brain Mapping 38(3), 2017.

    Raises:
        ValueError: when samples are no such table, there are none, or one is not finite.
    """
    _check_table(samples)
    columns = samples.double().mT.contiguous()
    ordered = columns.sort(dim=1).values
    smaller = torch.searchsorted(ordered, columns)
    not_larger = torch.searchsorted(ordered, columns, right=True)
    rank = (smaller + not_larger + 1).double() / 2  # from 1 to S
    return torch.special.ndtri(rank / (len(samples) + 1)).mT


@checked()
def standardised(samples: Float[Tensor, "S C"]) -> Float[Tensor, "S C"]:
    """Every column with mean zero and variance one, in float64; a constant one becomes zero.

    Raises:
        ValueError: when samples are no such table, there are none, or one is not finite.
    """
    _check_table(samples)
    columns = _rescale(samples.double(), dim=0)
    columns = columns - columns[0]  # so that the mean of a constant is exact
    columns = columns - columns.mean(dim=0)
    deviation = columns.std(dim=0)
    return columns / torch.where(deviation > 0, deviation, 1.0)


@checked()
def shuffle(
    states: Shaped[Tensor, "S N *F"], generator: torch.Generator
) -> Shaped[Tensor, "S N *F"]:
    """The samples of each expert in an order of its own: nothing depends on anything any more.

    Each expert by itself keeps its distribution, with what its features have in common.

    Args:
        states: S samples of N experts, of any shape.
        generator: draws the orders.
    """
    if states.dim() < 2:
        raise ValueError(f"states must be [samples, experts, ...], got {list(states.shape)}")
    num_samples, num_experts = states.shape[:2]
    draws = torch.rand(num_samples, num_experts, generator=generator, device=generator.device)
    order = draws.argsort(dim=0).to(states.device)
    return states[order, torch.arange(num_experts, device=states.device)]


class Excess(NamedTuple):
    """A measure beside what it gives where nothing depends on anything.

    Shapes:
        - **excess:** that of the measure, which is this much above the mean of the shuffles
        - **deviation:** the same, the standard deviation over shuffles
    """

    excess: Tensor
    deviation: Tensor


@checked()
def above_shuffled(
    measure: Callable[[Tensor], Tensor],
    states: Shaped[Tensor, "S N *F"],
    generator: torch.Generator,
    num_shuffles: int = 8,
) -> Excess:
    r"""What finite samples do not explain: a measure minus its mean over shuffled samples.

    .. math:: m(x) - \frac{1}{K} \sum_{k=1}^K m(\mathrm{shuffled}_k(x))

    For symbols this takes away the bias of plug-in entropies, nearly. Of Gaussian states
    :class:`badger_graph.analysis.gaussian_entropy.GaussianEntropy` has none; there the deviation
    says from where on a measure is more than chance.

    Args:
        measure: of samples, for example
            ``lambda x: binding_information(GaussianEntropy.of_states(x))``.
        states: S samples of N experts.
        generator: draws the shuffles.
        num_shuffles: how many K.

    Raises:
        ValueError: for fewer than two shuffles, or when the measure is NaN or infinite.
    """
    if num_shuffles < 2:
        raise ValueError(f"a deviation over shuffles needs at least 2, got {num_shuffles}")
    chance = torch.stack([measure(shuffle(states, generator)) for _ in range(num_shuffles)])
    measurement = measure(states)
    check_finite(
        "measures of the samples and their shuffles", torch.cat([measurement[None], chance])
    )
    return Excess(measurement - chance.mean(dim=0), chance.std(dim=0))


def _check_table(samples: Tensor) -> None:
    check_shape("samples", samples, "samples", "columns")
    check_finite("samples", samples)


def _rescale(values: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """In units of the largest, so that squares neither overflow nor vanish; zeros stay."""
    largest = values.abs().amax(dim=dim, keepdim=True)
    return values / torch.where(largest > 0, largest, 1.0)
