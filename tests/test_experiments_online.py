"""The experiments on what frozen policies learn: known answers, and going on with what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from properties import assert_refused

from badger_graph.baselines.online import bandits
from badger_graph.experiments.online import play_bandits
from badger_graph.experiments.online.learn_tables import LearnTables
from badger_graph.experiments.online.play_bandits import PlayBandits, noted_pulls, outcome
from badger_graph.experiments.online.resumption import resume
from badger_graph.experiments.runner import run


def test_entries_are_resumed_with_their_settings_alone() -> None:
    result: dict[str, Any] = {"old": {"policies": {"a": 1}, "lives": 3}}
    assert resume(result, "old", {"lives": 3, "wires": None}, ["policies"])["policies"] == {"a": 1}
    assert resume(result, "new", {"lives": 5}, ["policies"]) == {"lives": 5, "policies": {}}
    assert result["new"]["lives"] == 5
    message = "resumed with its own wires=None of old, got 0"
    assert_refused(message, lambda: resume(result, "old", {"lives": 3, "wires": 0}, []))


# --------------------------------------------------------------------------------------- tables


def test_without_hidden_wires_nobody_learns_what_no_line_divides(tmp_path: Path) -> None:
    def late(wires: int | None) -> float:
        experiment = LearnTables(["tables-0"], ["xor"], 5, 60, slow_orders=0, hidden_wires=wires)
        result = run(experiment, tmp_path / f"{wires}.json")
        return float(np.mean(result["xor"]["policies"]["tables-0"]["accuracy"][30:]))

    assert late(0) < 0.62
    assert late(None) > late(0) + 0.15
    assert "| Badger, 0 hidden wires |" in (tmp_path / "0.md").read_text()
    assert "| Badger |" in (tmp_path / "None.md").read_text()
    other = LearnTables(["tables-0"], ["xor"], 5, 60, slow_orders=0)
    assert_refused(
        "its own hidden_wires=0 of xor, got None", lambda: run(other, tmp_path / "0.json")
    )
    assert_refused("hidden_wires must be at least 0", lambda: LearnTables([], hidden_wires=-1))


# -------------------------------------------------------------------------------------- bandits


def test_regret_is_what_the_best_arms_would_have_paid_more() -> None:
    value = np.array([[0.25, 0.75], [1.0, 0.5]])
    pulled = np.array([[0.25, 1.0], [0.75, 0.5], [0.25, 0.5]])
    found = outcome(value, pulled)
    assert found["regret"] == [
        0.25,
        0.5,
        1.0,
    ]  # means of 0.5, 0.5, 1 and 0, 0.5, 1
    assert found["mean"] == pytest.approx((1.25 + 2.0) / 2)
    assert found["mean"] == pytest.approx(3 * (0.75 + 1.0) / 2 - found["regret"][-1])


@pytest.mark.parametrize("num_pulls", [1, 10, 50, 73, 500])
def test_a_curve_of_regret_is_short_and_ends_with_the_life(num_pulls: int) -> None:
    pulls = noted_pulls(num_pulls)
    assert pulls[-1] == num_pulls
    assert pulls[0] >= 1
    assert len(pulls) == len(set(pulls)) == min(num_pulls, 50)


def test_everyone_plays_and_what_has_a_regret_is_not_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bandits.json"
    experiment = PlayBandits(["bandits-0"], ["13x2", "13x5"], num_bandits=20)
    first = run(experiment, file)
    cell = first["13x5"]
    assert cell["players"].keys() == play_bandits.PLAYERS.keys()
    for one in (*cell["players"].values(), *cell["policies"].values()):
        assert len(one["regret"]) == len(cell["pulls"]) == 13
        assert one["regret"] == sorted(one["regret"])
    assert file.with_suffix(".png").stat().st_size > 0

    played: list[str] = []

    def pretend(who: str, value: np.ndarray, num_pulls: int) -> np.ndarray:
        played.append(f"{who} {num_pulls}x{value.shape[1]}")
        return np.zeros((num_pulls, len(value)))

    monkeypatch.setattr(bandits, "play", lambda v, t, *_: pretend("player", v, t))
    monkeypatch.setattr(play_bandits, "play", lambda _, v, t, *__: pretend("policy", v, t))
    assert run(experiment, file) == first
    assert not played
    del first["13x2"]["pulls"], first["13x2"]["policies"]["bandits-0"]["regret"]
    del first["13x5"]["players"]["greedy"]
    file.write_text(json.dumps(first))
    again = run(experiment, file)
    assert played == ["policy 13x2", "player 13x5"]
    assert again["13x5"]["players"]["greedy"]["mean"] == 0
    assert again["13x5"]["players"]["Thompson"] == cell["players"]["Thompson"]
    fewer = PlayBandits(["bandits-0"], ["13x2"], num_bandits=10)
    assert_refused("its own bandits=20 of 13x2, got 10", lambda: run(fewer, file))


def test_what_was_measured_without_regret_is_drawn_without_it(tmp_path: Path) -> None:
    result = run(PlayBandits(["bandits-0"], ["13x2"], num_bandits=5), tmp_path / "bandits.json")
    figure = PlayBandits.figure(result)
    assert [axes.get_xlabel() for axes in figure.axes] == ["pulls x arms", "pull"]
    lines = [line.get_ydata() for line in figure.axes[1].get_lines()]
    own = result["13x2"]["policies"]["bandits-0"]["regret"]
    np.testing.assert_allclose(lines[-1], [0, *own])
    for one in (result["13x2"]["players"], result["13x2"]["policies"]):
        for kept in one.values():
            del kept["regret"]
    assert len(PlayBandits.figure(result).axes) == 1
