"""The membrane that reads every output with its own weights."""

from __future__ import annotations

import torch
from properties import GAME, assert_refused, build_membrane, some_life, some_observation, uniform

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, unroll
from badger_graph.membranes import HardwiredMembrane, OwnReadoutMembrane
from topologies import CompleteTopology


def test_every_output_by_hand() -> None:
    membrane = build_membrane(OwnReadoutMembrane, hidden_size=6, max_outputs=3)
    life = some_life(membrane, 2, 4, 2)
    said = uniform(5, 8).to(life.hidden)
    acted = membrane.act(life, said, some_observation(2, 2))
    for agent in range(2):
        for output in range(2):
            hidden = life.hidden[4 * agent + output]
            expected = said[4 * agent + output] + hidden @ membrane.weight[output]
            torch.testing.assert_close(acted[agent, output], expected)


def test_without_weights_it_is_the_hardwired_membrane() -> None:
    parts = (GAME, GRUPolicy, CompleteTopology())
    own, hardwired = (
        BadgerAgent(*parts, membrane) for membrane in (OwnReadoutMembrane, HardwiredMembrane)
    )
    torch.nn.init.zeros_(own.membrane.weight)
    hardwired.policy.load_state_dict(own.policy.state_dict())
    task = GuessingGame().sample(2, 3, torch.Generator().manual_seed(0))
    actions = [unroll(agent, task, 5, 4).action for agent in (own, hardwired)]
    torch.testing.assert_close(*actions)


def test_more_outputs_than_weights_are_refused() -> None:
    membrane = build_membrane(OwnReadoutMembrane, max_outputs=3)
    membrane.check(8, 3)
    message = "every output must have weights of its own, got num_outputs=4 and max_outputs=3"
    assert_refused(message, lambda: membrane.check(8, 4))
