"""Random configurations hold what must always be true, and the search finds what does not."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable

import pytest
import torch
from command_line import ROOT

from badger_graph import AddressedMembrane
from badger_graph.executors.dense import DenseExecutor
from badger_graph.executors.sparse import NeighbourSum
from fuzzing import run
from fuzzing.draw import TABLES, configuration, draws
from fuzzing.edits import EDITS
from fuzzing.run import Tried, reason, summary, try_all, try_one

SLICE = range(1_000_000, 1_000_060)


@pytest.fixture(scope="module")
def tried() -> list[Tried]:
    return [try_one(seed) for seed in SLICE]


def test_a_slice_of_configurations_holds(tried: list[Tried]) -> None:
    found = summary(tried)
    assert not found["failures"]
    assert found["ran"] >= 0.7 * len(tried)
    assert found["ran"] + found["diverged"] + found["refused"] == found["drawn"] == len(tried)


RENAMED = {"more_worlds": "more_codebooks"}
"""Components that had another name when the committed run was made, and their names now."""

SINCE = {
    *("wired_fast_weights", "annealed_fast_weights", "crossbar"),
    *("tables", "regressions", "linear_functions", "gaussian_processes"),
    *("class_guessing", "mixture", "bandits", "several_lives", "log_over_time"),
    *("root_error", "lossy"),
}
"""Components that came after the committed run, which says nothing of them."""


def test_the_committed_run_is_whole() -> None:
    run = json.loads((ROOT / "results/reliability/fuzz.json").read_text())
    assert run["failed"] == 0
    assert run["drawn"] >= 10_000
    assert run["ran"] >= 0.7 * run["drawn"]
    assert sum(run["refused_because"].values()) == run["refused"]
    for kind in ("policy", "topology", "membrane", "task", "meta_loss", "curriculum"):
        ran = {RENAMED.get(name, name) for name in run["ran_with"][kind]}
        assert TABLES[kind].keys() - SINCE <= ran
        assert not ran & SINCE
        assert sum(run["ran_with"][kind].values()) == run["ran"]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table]
)
def test_every_argument_is_drawn(kind: str, name: str) -> None:
    draws(name, TABLES[kind][name])  # a new one is a KeyError that says where to add it


def test_a_configuration_is_a_function_of_its_number() -> None:
    configs = [configuration(seed) for seed in range(300)]
    assert json.dumps(configs) == json.dumps([configuration(seed) for seed in range(300)])
    assert {edit["name"] for config in configs for edit in config["edits"]} == set(EDITS)
    assert {config["topology"]["name"] for config in configs} == set(TABLES["topology"])


def _with_next_agents_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(self: DenseExecutor, policy: object, sent: torch.Tensor) -> torch.Tensor:
        of_agents = sent.view(self.batch_size, self.num_experts, -1).roll(1, 0)
        return (self.blocks @ of_agents).view_as(sent)

    monkeypatch.setattr(DenseExecutor, "exchange", exchange)


def _with_a_wrong_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    right = NeighbourSum.backward
    monkeypatch.setattr(
        NeighbourSum,
        "backward",
        staticmethod(lambda ctx, grad: (-(of := right(ctx, grad))[0], *of[1:])),
    )


def _without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    right = AddressedMembrane.act
    monkeypatch.setattr(
        AddressedMembrane,
        "act",
        lambda self, life, speech, observation: right(self, life, speech.detach(), observation),
    )


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (_with_next_agents_messages, "a leak|executor dense"),
        (_with_a_wrong_sign, "executor sparse"),
        (_without_a_gradient, "gradient"),
    ],
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    failures = (one.failure for one in map(try_one, SLICE) if one.failure)
    assert any(word in next(failures) for word in message.split("|"))


def test_a_failure_is_kept_with_its_number() -> None:
    found = summary([Tried(7, None, "it broke"), *try_all(range(7, 7), jobs=1)])
    assert found["failed"] == found["drawn"] == 1
    (failure,) = found["failures"]
    assert (failure["seed"], failure["report"]) == (7, "it broke")
    assert json.loads(failure["config"])["seed"] == 7


def test_a_crash_and_an_endless_search_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those after them are tried all the same."""

    def strange(seed: int) -> Tried:
        if seed == 1:
            os._exit(1)
        time.sleep(60 if seed == 2 else 0)
        return Tried(seed, None, "none")

    monkeypatch.setattr(run, "SPAWN", multiprocessing.get_context("fork"))
    monkeypatch.setattr(run, "LIMIT", 2)
    monkeypatch.setattr(run, "try_one", strange)
    said = {one.seed: one.failure for one in try_all(range(4), jobs=1)}
    crashed, endless = "the interpreter crashed", "it must be done within 2 seconds"
    assert said == {0: "none", 1: crashed, 2: endless, 3: "none"}


def test_refusals_are_counted_by_their_rule() -> None:
    assert reason("rounds must be at least 1, got 0") == "rounds must be at least #"
    assert reason("rounds must be at least 1, got -3") == "rounds must be at least #"
