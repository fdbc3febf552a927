"""Lives in files, to go on with later."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from properties import assert_refused, seeded, small_agent

from badger_graph import (
    BadgerAgent,
    GuessingGame,
    load_agent,
    load_life,
    save_life,
    unroll,
)
from badger_graph.tasks import Tables


@pytest.mark.parametrize("policy", ["micro_badger", "addressed-0", "recurrent-0"])
def test_a_life_goes_on_to_the_same_bits(policy: str, tmp_path: Path) -> None:
    agent = load_agent(policy)
    task = GuessingGame().sample(3, 2, seeded(0))
    with torch.no_grad():
        whole = unroll(agent, task, 8, 12, seeded(1)).loss
        life = unroll(agent, task, 8, 5, seeded(1)).life
        save_life(life, tmp_path / "new" / "life.pt")
        again = load_life(load_agent(policy), tmp_path / "new" / "life.pt")
        first, rest = whole.split([5, 7])
        onward = unroll(agent, task, None, 7, seeded(9), life=again).loss
    assert torch.equal(onward, rest)
    assert not torch.equal(first, rest[:5])


def test_a_life_on_wires_goes_on(tmp_path: Path) -> None:
    agent = load_agent("tables-0")
    tables = Tables([3, 3], [6, 6]).sample(2, 2, seeded(0))
    more = Tables([3, 3], [6, 6]).sample(2, 2, seeded(5))
    with torch.no_grad():
        life = unroll(agent, tables, None, 6, seeded(1)).life
        save_life(life, tmp_path / "life.pt")
        again = load_life(agent, tmp_path / "life.pt")
        expected = unroll(agent, more, None, 6, life=life).loss
        assert torch.equal(unroll(agent, more, None, 6, life=again).loss, expected)
        assert not torch.equal(unroll(agent, more, None, 6, seeded(1)).loss, expected)


def test_what_is_no_life_of_this_agent_is_refused(tmp_path: Path) -> None:
    agent: BadgerAgent = small_agent()
    file = tmp_path / "life.pt"
    save_life(load_agent("micro_badger").reset(2, 5, 2), file)
    assert_refused("a life must be one of this agent, with states", lambda: load_life(agent, file))
    for content in ({}, {"experts": 1}, {"experts": (1,)}, 3):
        torch.save(content, file)
        assert_refused("a life must", lambda: load_life(agent, file))
    file.write_text("no life")
    assert_refused("a life must be a file of save_life", lambda: load_life(agent, file))
    with pytest.raises(FileNotFoundError):
        load_life(agent, tmp_path / "none.pt")
