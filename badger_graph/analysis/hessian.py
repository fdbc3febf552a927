"""The smallest and largest curvature of a loss: saddle or minimum, and how steep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.analysis.checks import check_finite
from badger_graph.analysis.gradients import flat_gradient
from badger_graph.policies import MessagePolicy
from topologies.checks import checked, size

Vector = Float64[Tensor, " P"]


class ExtremeEigenvalues(NamedTuple):
    """The ends of a spectrum, and how far from an eigenvalue each may be at most.

    A negative ``smallest`` is a direction in which the loss falls though the gradient may be
    zero: a saddle.
    """

    smallest: float
    largest: float
    smallest_residual: float
    largest_residual: float


@checked(num_iterations=size())
def extreme_eigenvalues(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    num_iterations: int,
    generator: torch.Generator,
) -> ExtremeEigenvalues:
    r"""The smallest and largest eigenvalue of the Hessian of a loss, by the Lanczos method.

    From a random :math:`q_1`, products with the Hessian H (double backward, H itself is never
    made) give a tridiagonal matrix with the same ends of the spectrum,

    .. math::
        \beta_m q_{m+1} = H q_m - \alpha_m q_m - \beta_{m-1} q_{m-1}, \qquad
        T_m = \mathrm{tridiag}(\alpha, \beta)

    Every :math:`q_m` is made orthogonal to all before it, twice. An eigenvalue :math:`\theta` of
    :math:`T_m` with eigenvector s is within :math:`|\beta_m s_m|`, its residual, of one of H. The
    eigenvalues found lie inside the spectrum and move outwards with more iterations; with as many
    as there are parameters they are exact.

    Source: Dauphin et al. 2014 (saddles); Golub and Van Loan, "Matrix Computations", chapter 10.

    Args:
        loss: one number made of the parameters, twice differentiable; called once. For an agent
            see :func:`twice_differentiable`.
        parameters: by which the Hessian is taken, if they are trained. Products are in their
            precision, everything else in float64.
        num_iterations: products with the Hessian, at most; one more iteration keeps one more
            vector of all parameters.
        generator: draws the start, on the CPU.

    Raises:
        ValueError: when ``num_iterations`` is below 1, there are no parameters, or the loss is not
            one finite number made of them or its curvature is not finite.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    size = sum(parameter.numel() for parameter in parameters)
    if size == 0:
        raise ValueError("a Hessian needs parameters that are trained, got none")
    start = torch.randn(size, dtype=torch.float64, generator=generator)
    with torch.enable_grad():
        product = _hessian_product(loss(), parameters)
    diagonal, beside, last = _lanczos(product, start, min(num_iterations, size))
    tridiagonal = diagonal.diag() + beside.diag(1) + beside.diag(-1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    residuals = last * vectors[-1].abs()
    ends = values[[0, -1]].tolist(), residuals[[0, -1]].tolist()
    return ExtremeEigenvalues(*ends[0], *ends[1])


@checked()
def twice_differentiable(agent: BadgerAgent) -> BadgerAgent:
    """A copy of an agent for second derivatives: the fused operator and a compiled step have none.

    Weights and results are the same, up to rounding. An agent whose messages do not travel along
    edges keeps its executor.
    """
    twin = copy.deepcopy(agent)
    twin.compiled = False
    if isinstance(twin.policy, MessagePolicy):
        twin.executor = "dense" if twin.policy.aggregation == "mean" else "reference"
    return twin


def _hessian_product(loss: Tensor, parameters: list[Tensor]) -> Callable[[Vector], Vector]:
    """The Hessian as a map of vectors, from one graph of the gradient."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise ValueError(f"the loss must be a tensor of one number, got {loss}")
    check_finite("the loss", loss)
    if not loss.requires_grad or not _depends(loss, parameters):
        raise ValueError("the loss must be made of the parameters, got one that uses none of them")
    gradient = flat_gradient(loss, parameters, create_graph=True)

    def product(vector: Vector) -> Vector:
        if not gradient.requires_grad:  # of a linear loss
            return torch.zeros_like(vector)
        with torch.enable_grad():
            along = gradient @ vector.to(gradient)
        curved = flat_gradient(along, parameters).double().cpu()
        check_finite("the curvature of the loss", curved)
        return curved

    return product


def _depends(loss: Tensor, parameters: list[Tensor]) -> bool:
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return any(part is not None for part in gradients)


def _lanczos(
    product: Callable[[Vector], Vector], start: Vector, num_iterations: int
) -> tuple[Tensor, Tensor, float]:
    """The diagonal and the one beside it of the tridiagonal matrix, and what would come next."""
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    basis = (start / start.norm())[None]
    largest = 0.0
    while True:
        image = product(basis[-1])
        largest = max(largest, image.norm().item())
        diagonal.append(basis[-1] @ image)
        for _ in range(2):  # once leaves what rounding made of it
            image = image - basis.mT @ (basis @ image)
        length = image.norm()
        # Nothing is left but rounding: all that the start has a part of was found.
        exhausted = length <= 1e-12 * largest
        if exhausted or len(diagonal) == num_iterations:
            last = 0.0 if exhausted or len(diagonal) == len(start) else length.item()
            return torch.stack(diagonal), torch.stack(beside) if beside else start[:0], last
        beside.append(length)
        basis = torch.cat([basis, (image / length)[None]])
