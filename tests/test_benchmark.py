"""The benchmark compares like with like and writes what it finds; the figures mean nothing here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bad_inputs.command_line import main_of
from command_line import succeed
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gemm_peak import gemm_peak, outer_step_flops
from benchmarks.machine import use_cores
from benchmarks.memory import peak_growth
from benchmarks.peers import PEERS, PLAIN, runnable
from benchmarks.sizes import Sizes
from benchmarks.timing import interleave, speed_of_medians, speed_of_minima

TINY = Sizes(2, num_experts=5, k=2, num_outputs=2, num_steps=3, hidden_size=6, message_size=3)

BY_HAND = Sizes(1, num_experts=2, k=1, num_outputs=1, num_steps=1, hidden_size=3, message_size=2)

every_peer = pytest.mark.parametrize("name", PEERS)


@pytest.fixture
def cores() -> Iterator[set[int]]:
    """The cores of this process, given back after the test."""
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def require_to_run(name: str) -> None:
    if name not in runnable(TINY, [name]):
        pytest.skip(f"{name} cannot run here")


@every_peer
@pytest.mark.parametrize("num_experts", [5, 70])  # JAX: blocks, gather
def test_peers_agree(name: str, num_experts: int) -> None:
    require_to_run(name)
    sizes = replace(TINY, num_experts=num_experts)
    task = sizes.task()
    expected_loss, expected = PEERS[PLAIN](sizes).loss_and_gradient(task)
    peer = PEERS[name](sizes)
    loss, gradient = peer.loss_and_gradient(task)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert (gradient - expected).norm() <= 1e-5 * expected.norm()
    assert peer.loss(task) == pytest.approx(expected_loss, rel=1e-5)


@every_peer
def test_outer_step_trains(name: str) -> None:
    require_to_run(name)
    peer, task = PEERS[name](TINY), TINY.task()
    before, _ = peer.loss_and_gradient(task)
    for _ in range(40):
        peer.outer_step()
    after, _ = peer.loss_and_gradient(task)
    assert after < before


def test_whoever_cannot_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    huge = replace(TINY, num_experts=100_000)
    assert runnable(huge, ["badger-graph, dense"]) == [PLAIN]
    assert capsys.readouterr().out == (
        "skipped: badger-graph, dense (80.0 GB of blocks for 100,000 experts)\n"
    )


def test_jax_is_an_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.peers.find_spec", lambda name: None)
    assert runnable(TINY, [name for name in PEERS if name.startswith("JAX")]) == [PLAIN]
    assert capsys.readouterr().out == (
        "skipped: JAX scan and JAX scan, remat (an extra: pip install 'badger-graph[benchmark]')\n"
    )


def test_unknown_peer() -> None:
    with pytest.raises(ValueError, match=r"peers must be among .*, got \['TensorFlow'\]"):
        runnable(TINY, ["TensorFlow"])


def test_flops_by_hand() -> None:
    """H=3, M=2, P=4, I=12, two experts of which one speaks, one inner step."""
    message = 3 * 6 + 6 * 2
    gates = (2 + 4) * 9 + 3 * 9
    forward = 2 * (message + gates) + 1 * 3 + 2 * 12 * 9
    assert outer_step_flops(BY_HAND) == 3 * 2 * forward


def test_flops_are_those_that_torch_counts() -> None:
    """In one inner step nothing that identifiers add could be computed twice.

    Experts that nobody listens to speak as well: that is not counted as useful.
    """
    peer, task = PEERS["badger-graph, reference"](BY_HAND), BY_HAND.task()
    with FlopCounterMode(display=False) as counted:
        peer.loss(task)
    unheard = BY_HAND.num_experts - BY_HAND.num_outputs
    useful = counted.get_total_flops() - 2 * BY_HAND.hidden_size * unheard
    assert outer_step_flops(BY_HAND) == 3 * useful


def test_peak_is_the_best_of_all_products() -> None:
    seconds = {"GEMM 1024": [0.03, 0.02], "GEMM 2048": [0.2, 0.4]}
    assert gemm_peak(seconds) == pytest.approx(2 * 1024**3 / 0.02)


def test_every_round_runs_every_step_once_in_changing_order() -> None:
    ran: list[str] = []
    steps = {name: lambda name=name: ran.append(name) for name in "abc"}
    seconds = interleave(steps, rounds=20, warm_up=2)
    rounds = ["".join(ran[i : i + 3]) for i in range(0, len(ran), 3)]
    assert len(rounds) == 22
    assert {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert len(set(rounds)) > 1
    assert [len(own) for own in seconds.values()] == [20, 20, 20]


def test_speed_is_the_ratio_of_medians_and_of_minima() -> None:
    assert speed_of_medians([1.0, 2.0, 9.0], [3.0, 8.0, 9.0]) == pytest.approx(4.0)
    assert speed_of_minima([1.0, 2.0, 9.0], [3.0, 8.0, 9.0]) == pytest.approx(3.0)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_peak_growth_sees_what_is_freed_again() -> None:
    def use(megabytes: int) -> None:
        torch.ones(megabytes * 2**18)

    use(100)  # a peak before does not count
    assert peak_growth(lambda: use(40)) == pytest.approx(40 * 2**20, abs=2**20)
    assert peak_growth(lambda: None) == pytest.approx(0, abs=2**20)


def test_cores_are_as_many_as_threads(cores: set[int]) -> None:
    with pytest.raises(ValueError, match=r"threads must be at least 1 and at most .*, got 0"):
        use_cores(0)
    use_cores(1)
    assert os.sched_getaffinity(0) == {min(cores)}
    assert torch.get_num_threads() == 1


def test_command_writes_every_workload(tmp_path: Path, cores: set[int]) -> None:
    peers = '["badger-graph, auto"]'
    typed = ("--quick", "true", "--w1.peers", peers, "--w3.peers", peers)
    result = succeed(main_of("benchmark"), *typed, cwd=tmp_path)
    for name in ("w1", "w2", "w3", "measuring", "fixed"):
        table = (tmp_path / "results" / f"benchmark_{name}.md").read_text()
        assert table in result.out
        assert f"1 thread, torch {torch.__version__}" in table
        data = json.loads((tmp_path / "results" / f"benchmark_{name}.json").read_text())
        assert data["heading"] in table
    (row,) = [line for line in table.splitlines() if line.startswith("| Lightning")]
    assert row.endswith("ms |")
