"""The authors' weights in our agent, held against a stand-in for their code."""

from __future__ import annotations

from pathlib import Path

import authors_stand_in
import pytest
import torch
from authors_stand_in import MultitaskAgent
from properties import seeded, some_task
from torch import Tensor

from badger_graph import BadgerAgent, load_authors, unroll

HIDDEN, KEY, IDENTIFIER = 6, 4, 3
BATCH, EXPERTS, OUTPUTS, STEPS = 2, 3, 2, 20


def theirs(scale: float = 1.0) -> MultitaskAgent:
    torch.manual_seed(0)
    agent = MultitaskAgent(HIDDEN, KEY, IDENTIFIER, KEY, 0)
    with torch.no_grad():
        for weight in agent.parameters():
            weight *= scale
    return agent


def both_actions(agent: MultitaskAgent, ours: BadgerAgent) -> tuple[Tensor, Tensor]:
    """A rollout of each with the same identifiers, addresses and targets."""
    task, like = some_task(BATCH, OUTPUTS), agent.error_key
    task.target = task.target.to(like)
    life = ours.reset(BATCH, EXPERTS, OUTPUTS, seeded(0))
    expected = unroll_theirs(agent, task.target, life.addresses.outputs, life.identifier)
    return unroll(ours, task, EXPERTS, STEPS, life=life).action, expected


@torch.no_grad()
def unroll_theirs(agent: MultitaskAgent, target: Tensor, address: Tensor, ids: Tensor) -> Tensor:
    agent.init_rollout(BATCH, EXPERTS, OUTPUTS)
    agent.agent.static_id = ids.view(BATCH, EXPERTS, -1).mT
    action, actions = torch.zeros_like(target), []
    for _ in range(STEPS):
        error = 3 * (action - target).square().mean(dim=1, keepdim=True)
        action, *_ = agent(target.new_zeros(BATCH, KEY, 0), error, address[:, None])
        actions.append(action)
    return torch.stack(actions)


@pytest.mark.parametrize("scale", [1.0, 1.65, 2.5])
def test_actions_are_theirs_in_double_precision(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rounding, once the 1e-8 that keeps deviations from zero has the same place."""

    def deviation(row: Tensor) -> Tensor:
        return (row - row.mean()) / (row.var() + 1e-16).sqrt()

    monkeypatch.setattr(authors_stand_in, "deviation", deviation)
    agent = theirs(scale).double()
    actions, expected = both_actions(agent, load_authors(agent.state_dict()))
    torch.testing.assert_close(actions, expected, rtol=0, atol=1e-9)


def test_from_a_file(tmp_path: Path) -> None:
    agent = theirs()
    torch.save(agent.state_dict(), tmp_path / "rout.pth")
    ours = load_authors(tmp_path / "rout.pth")
    actions, expected = both_actions(agent, ours)
    torch.testing.assert_close(actions, expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.1
    assert not any(weight.requires_grad for weight in ours.parameters())
    assert not ours.training


def test_sizes_come_from_the_tensors() -> None:
    ours = load_authors(theirs().state_dict())
    policy = ours.policy
    assert (policy.hidden_size, policy.key_size, policy.identifier_size) == (6, 4, 3)
    assert (policy.query_heads, policy.sender_heads) == (4, 2)
    assert unroll(ours, some_task(2, 5), 7, 2).action.shape == (2, 2, 5)


def test_all_faults_are_named_at_once() -> None:
    state = theirs().state_dict()
    del state["agent.query.1.weight"], state["error_val.bias"]
    state["agent.extra"] = torch.zeros(1)
    state["output_val.weight"] = torch.zeros(1, 7)
    state["input_val.bias"] = 3
    with pytest.raises(ValueError, match="their root experiment saves") as caught:
        load_authors(state)
    assert str(caught.value).partition("but ")[2].split("; ") == [
        "agent.extra is not known",
        "agent.query.1.weight is missing",
        "error_val.bias is missing",
        "input_val.bias must be [6], got int",
        "output_val.weight must be [1, 6], got [1, 7]",
    ]


@pytest.mark.parametrize(
    "name", ["agent.h0", "error_key", "agent.key1.0.weight", "agent.query.3.bias"]
)
def test_an_entry_that_says_a_size_is_missing(name: str) -> None:
    state = theirs().state_dict()
    del state[name]
    with pytest.raises(ValueError, match=f"{name} is missing"):
        load_authors(state)


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"agent\.h0 is missing; .* output_val\.weight is missing"):
        load_authors({})
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="must be a state dict, got a list"):
        load_authors(tmp_path / "list.pth")
