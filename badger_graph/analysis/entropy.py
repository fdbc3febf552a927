"""How much is uncertain of the experts' states, together: what information measures are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.analysis.checks import check_shape
from topologies.checks import checked


class JointEntropy(ABC):
    """Joint entropies of the states of some of N experts, in nats and float64.

    Every measure of :mod:`badger_graph.analysis.information` is a sum of these, for states of
    any kind.

    Args:
        num_experts: how many experts N there are.

    Raises:
        ValueError: for fewer than two experts, who have nothing to share.
    """

    def __init__(self, num_experts: int) -> None:
        if num_experts < 2:
            raise ValueError(f"shared information needs at least two experts, got {num_experts}")
        self.num_experts = num_experts

    @checked()
    def __call__(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        r"""Joint entropies of the first 1, 2, ..., n experts of each order.

        .. math:: H(X_{o_1}), \; H(X_{o_1}, X_{o_2}), \; \ldots, \; H(X_{o_1}, \ldots, X_{o_n})

        All of an order are had in one, since each adds
        :math:`H(X_{o_m} | X_{o_1}, \ldots, X_{o_{m-1}})` to the one before.

        Args:
            orders: K times n different experts, numbered from 0.

        Raises:
            ValueError: when it is not that.
        """
        check_shape("orders", orders, "orders", "experts")
        again = orders.sort(dim=1).values.diff(dim=1) == 0
        wrong = again.any(dim=1) | ((orders < 0) | (orders >= self.num_experts)).any(dim=1)
        if wrong.any():
            raise ValueError(
                f"an order must be of different experts from 0 to {self.num_experts - 1}, "
                f"got {orders[wrong][0].tolist()}"
            )
        return self._entropies(orders)

    @abstractmethod
    def _entropies(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        """The same, of orders that were checked."""
