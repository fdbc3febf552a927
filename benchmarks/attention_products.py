"""W2: one whole outer step of the attentional agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import badger_graph.policies.attention
from badger_graph.library.authors import Sizes, attentional_agent, from_authors
from badger_graph.outer.learner import default_optimizer
from benchmarks.attentional import Game, attentional_rollout, materialised
from benchmarks.authors import authors_agent, authors_rollout
from benchmarks.outer_steps import compare, markdown
from benchmarks.report import Report
from benchmarks.torch_peer import TorchPeer

AUTHORS = "the authors' code"
MATERIALISED = "badger-graph, attention tensors materialised and summed"
DENSE = "badger-graph"


@dataclass(frozen=True)
class AttentionSizes:
    """A rollout of the guessing game by address; the defaults are the authors' sizes."""

    batch_size: int = 50
    num_experts: int = 20
    num_outputs: int = 3
    num_steps: int = 20
    hidden_size: int = 64
    key_size: int = 32
    identifier_size: int = 16

    def __post_init__(self) -> None:
        if self.num_steps < 3:
            raise ValueError(
                "num_steps must be at least 3, for what experts hear to reach an action that "
                f"is judged, got {self.num_steps}"
            )
        if self.key_size % 2:
            raise ValueError(
                f"key_size must be even, half learned and half address, got {self.key_size}"
            )

    def task(
        self, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Game:
        """Without a generator the same at every call."""
        generator = generator or torch.Generator().manual_seed(0)
        outputs = self.batch_size, self.num_outputs
        parts = (
            2 * torch.rand(outputs, generator=generator) - 1,
            torch.randn(*outputs, self.key_size // 2, generator=generator),
            torch.randn(self.num_experts, self.identifier_size, generator=generator),
        )
        return Game(*(part.to(dtype) for part in parts))


def contestants(
    sizes: AttentionSizes, authors: str | None, dtype: torch.dtype = torch.float32
) -> dict[str, TorchPeer]:
    """All with the same weights: those of the authors' agent where there is a clone of it."""
    shape = sizes.hidden_size, sizes.key_size, sizes.identifier_size
    losses = {MATERIALISED: _materialised_rollout, DENSE: attentional_rollout}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = {name: attentional_agent(Sizes(*shape)) for name in losses}
        theirs = None if authors is None else authors_agent(authors, *shape)
    found: dict[str, TorchPeer] = {}
    weights: Mapping[str, Tensor] = own[DENSE].state_dict()
    if theirs is not None:
        loss = partial(authors_rollout, num_steps=sizes.num_steps)
        found[AUTHORS] = TorchPeer(sizes, theirs, loss, theirs.optim, from_authors)
        weights = from_authors(theirs.state_dict())
    for name, agent in own.items():
        agent.load_state_dict(weights)
        loss = partial(losses[name], num_steps=sizes.num_steps)
        found[name] = TorchPeer(sizes, agent, loss, default_optimizer(agent.parameters()))
    for peer in found.values():
        peer.module.to(dtype)
    return found


def _materialised_rollout(agent: Any, game: Game, num_steps: int) -> Tensor:
    with mock.patch.object(badger_graph.policies.attention, "attend", materialised):
        return attentional_rollout(agent, game, num_steps)


@dataclass(frozen=True)
class AttentionalBadger:
    """Draw games, roll out, go back and let Adam take a step: each contestant in turn.

    Before anything is timed, the loss and gradient of each are computed for the same games, in
    float64: in float32 one leaky ReLU that falls on the other side of zero can make 1e-4.

    Args:
        sizes: of the rollout.
        rounds: timed outer steps of each.
        authors: the folder of a clone of https://github.com/GoodAI/badger-2019, whose
            ``utils.py`` is then run, and measured beside.
    """

    sizes: AttentionSizes = AttentionSizes()
    rounds: int = 10
    authors: str | None = None

    def run(self) -> Report:
        if self.authors is None:
            print(
                f"skipped: {AUTHORS} (--w2.authors takes a clone of GoodAI/badger-2019)", flush=True
            )
        found = contestants(self.sizes, self.authors)
        exact = contestants(self.sizes, self.authors, torch.float64)
        game = self.sizes.task(dtype=torch.float64)
        results = {name: one.loss_and_gradient(game) for name, one in exact.items()}
        with FlopCounterMode(display=False) as counted:
            exact[DENSE].loss_and_gradient(game)
        comparison = compare(found, results, counted.get_total_flops(), self.rounds)
        data = {"workload": asdict(self), **comparison}
        return Report(data, markdown_of(data))


def markdown_of(data: dict[str, Any]) -> str:
    """What was found, held against the first."""
    sizes = data["workload"]["sizes"]
    words = (
        f"B={sizes['batch_size']}, N={sizes['num_experts']}, H={sizes['hidden_size']}, "
        f"keys of {sizes['key_size']}, identifiers of {sizes['identifier_size']}, "
        f"4+2 heads, d={sizes['num_outputs']}, T={sizes['num_steps']}"
    )
    note = f"; speeds and differences (in float64) against {next(iter(data['rows']))}"
    return markdown(words, data, ("loss", "gradient"), note)
