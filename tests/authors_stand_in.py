"""In place of the authors' agent: its interface and the names of its weights, nothing of its code.

It computes what the docstring of :class:`badger_graph.AttentionPolicy` says, for one
expert and one receiver at a time, so that tests see whether weights, games and losses get where
they should.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu


def heads(number: int, inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(inputs, outputs) for _ in range(number))


def deviation(row: Tensor) -> Tensor:
    return (row - row.mean()) / (row.std() + 1e-8)


class Experts(nn.Module):
    def __init__(self, hidden: int, key: int, identifier: int) -> None:
        super().__init__()
        self.h0 = nn.Parameter(torch.randn(1, hidden, 1))
        self.key1 = heads(2, hidden + identifier, hidden)
        self.key2 = heads(2, hidden, key)
        self.value = heads(2, hidden + identifier, hidden)
        self.query = heads(4, hidden + identifier, key)
        self.valnet1 = nn.Conv1d(5 * hidden + identifier, hidden, 1)
        self.valnet2 = nn.Conv1d(hidden, hidden, 1)
        self.htoh = nn.Conv1d(2 * hidden, hidden, 1)
        self.htog = nn.Conv1d(2 * hidden, hidden, 1)
        self.static_id = torch.zeros(0)


class MultitaskAgent(nn.Module):
    def __init__(self, HIDDEN: int, KEY: int, ID: int, INPUT_CHUNK: int, N_INPUTS: int) -> None:  # noqa: N803
        super().__init__()
        assert (INPUT_CHUNK, N_INPUTS) == (KEY, 0)
        self.agent = Experts(HIDDEN, KEY, ID)
        self.error_key = nn.Parameter(torch.randn(KEY))
        self.error_val = nn.Linear(1, HIDDEN)
        self.input_keys = nn.Linear(KEY, KEY)
        self.input_val = nn.Linear(KEY, HIDDEN)
        self.output_stub = nn.Parameter(torch.randn(1, KEY // 2))
        self.output_val = nn.Linear(HIDDEN, 1)
        self.optim = torch.optim.Adam(self.parameters(), lr=1e-3)

    def init_rollout(self, BS: int, N_EXPERTS: int, N_OUTPUTS: int) -> None:  # noqa: N803
        self.sizes = BS, N_EXPERTS, N_OUTPUTS
        self.states = [[self.agent.h0.flatten()] * N_EXPERTS for _ in range(BS)]

    def forward(self, x: Tensor, error: Tensor, output_addr: Tensor) -> tuple[Tensor, None, int]:
        batch_size, num_experts, num_outputs = self.sizes
        assert x.shape[2] == 0
        assert output_addr.shape[:3] == (batch_size, 1, num_outputs)
        assert self.agent.static_id.shape[::2] == (batch_size, num_experts)
        actions = [self.play(game, error[game], output_addr[game, 0]) for game in range(batch_size)]
        return torch.stack(actions), None, 0

    def play(self, game: int, error: Tensor, addresses: Tensor) -> Tensor:
        """One inner step of one agent: the states change, the action is returned."""
        experts, states = self.agent, self.states[game]
        outputs = [torch.cat([self.output_stub[0], address]) for address in addresses]
        senders = [(self.input_keys(query), self.input_val(query)) for query in outputs]
        senders.append((self.error_key, self.error_val(error)))
        known = [*map(torch.cat, zip(states, experts.static_id[game].t(), strict=True))]
        for first, second, value in zip(experts.key1, experts.key2, experts.value, strict=True):
            senders += [(second(leaky_relu(first(z))), value(z)) for z in known]
        hear = partial(heard, senders)
        self.states[game] = [
            self.become(state, torch.cat([*(hear(query(z)) for query in experts.query), z]))
            for state, z in zip(states, known, strict=True)
        ]
        return torch.cat([self.output_val(hear(query)) for query in outputs])

    def become(self, state: Tensor, everything: Tensor) -> Tensor:
        merged = leaky_relu(self.agent.valnet1(everything[:, None]))
        merged = deviation(leaky_relu(self.agent.valnet2(merged))[:, 0])
        both = torch.cat([merged, state])[:, None]
        gate = self.agent.htog(both)[:, 0].sigmoid()
        return gate * self.agent.htoh(both)[:, 0] + (1 - gate) * state


def heard(senders: Iterable[tuple[Tensor, Tensor]], query: Tensor) -> Tensor:
    scores = torch.stack([2.5 * key.dot(query) / len(query) ** 0.5 for key, _ in senders])
    weights = scores.exp() / scores.exp().sum()
    return deviation(sum(w * v for w, (_, v) in zip(weights, senders, strict=True)))
