"""Bad inputs are answered: all of the Python API's, and a spread of the command line's.

``scripts/bad_inputs.py`` runs the command line's whole, in real processes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import networkx as nx
import numpy as np
import pytest
import torch
from bad_inputs import command_line, python_api
from bad_inputs.files import make_files
from command_line import call, succeed
from properties import GAME, assert_refused

from badger_graph import BadgerAgent, GRUPolicy
from badger_graph.executors.native import library
from topologies import NetworkXTopology, RandomTopology
from topologies.checks import MAX_WEIGHTS, checked, interval, size
from topologies.rehearsal import rehearse

EVERY = {"fit": 18, "evaluate": 6}
"""Of these scripts only every so many inputs: the parser of each takes a second."""

INPUTS = command_line.bad_inputs()


def spread(script: str) -> list[command_line.BadInput]:
    return [one for one in INPUTS if one.script == script][:: EVERY.get(script, 5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are that bad inputs name."""
    folder = tmp_path_factory.mktemp("bad_inputs")
    succeed(lambda _: make_files(folder), cwd=folder)
    return folder


@pytest.mark.parametrize("script", dict.fromkeys(one.script for one in INPUTS))
def test_command_line(script: str, folder: Path) -> None:
    main = command_line.main_of(script)
    for one in spread(script):
        result = call(main, *one.arguments, cwd=folder)
        assert command_line.fault(one.words, result.code, result.err) is None, (one, result.err)


def test_lists_are_long_enough() -> None:
    assert len(set(INPUTS)) == len(INPUTS) >= 300
    assert len(set(python_api.bad_calls())) == len(python_api.bad_calls()) >= 500


def test_python_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = {str(one): python_api.fault(one) for one in python_api.bad_calls()}
    assert {name: fault for name, fault in faults.items() if fault is not None} == {}


@pytest.mark.parametrize(
    ("code", "err", "expected"),
    [
        (0, "", "accepted"),
        (2, "error: k must be at least 0, got -1", None),
        (2, "error: k must be at least 0", "unclear"),
        (2, "k must be at least 0, got -1", "unclear"),
        (1, "error: k must be at least 0, got -1", "unclear"),
        (2, "error: k must be -1" + "\n." * 12, "unclear"),
        (1, "Traceback (most recent call last):\nValueError: k must be -1", "traceback"),
    ],
)
def test_judge(code: int, err: str, expected: str | None) -> None:
    assert command_line.fault(("k must|k has", "-1"), code, err) == expected


@checked(number=size(2, 9), share=interval(0, 1, "(]"))
def kept(
    number: int = 2,
    share: float = 0.5,
    flag: bool = False,
    name: Literal["one", "two"] = "one",
    numbers: list[int] | None = None,
) -> tuple[object, ...]:
    """What comes out of a checked function is what it was given."""
    return number, share, flag, name, numbers


def test_good_values_pass_as_plain_data() -> None:
    assert kept() == (2, 0.5, False, "one", None)
    found = kept(np.int64(9), np.float64(1.0), np.bool_(True), "two", [np.int32(3)])  # type: ignore[arg-type,list-item]
    assert found == (9, 1.0, True, "two", [3])
    assert [type(one) for one in found] == [int, float, bool, str, list]
    assert type(found[4][0]) is int  # type: ignore[index]
    assert kept(share=1) == (2, 1, False, "one", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 1}, "number must be at least 2, got 1$"),
        ({"number": 10}, "number must be at most 9, got 10$"),
        ({"number": True}, "number must be a whole number, got True$"),
        ({"number": 3.0}, r"number must be a whole number, got 3\.0$"),
        ({"number": None}, "number must be a whole number, got None$"),
        ({"share": 0}, r"share must be in \(0, 1\], got 0$"),
        ({"share": float("nan")}, r"share must be in \(0, 1\], got nan$"),
        ({"share": "half"}, "share must be a number, got 'half'$"),
        ({"flag": 1}, "flag must be true or false, got 1$"),
        ({"name": "tow"}, "name must be one of one, two, got 'tow'; did you mean 'two'"),
        ({"numbers": [1, 2.5]}, r"numbers must be a list, each a whole number, or none, got \[1"),
        ({"numbers": 3}, "numbers must be a list.* got 3$"),
    ],
)
def test_bad_values_are_refused(arguments: dict[str, object], message: str) -> None:
    assert_refused(message, lambda: kept(**arguments))  # type: ignore[arg-type]


def test_weights_are_limited_before_they_take_memory() -> None:
    widest = int((MAX_WEIGHTS / 8) ** 0.5)  # a GRU has 3 H x H weights beside others
    assert_refused(
        f"GRUPolicy must have at most 134,217,728 weights, got .*hidden_size={2 * widest}",
        lambda: GRUPolicy(4, 12, 2 * widest),
    )
    torch.manual_seed(0)
    plain = torch.nn.GRUCell(16 + 4 + 12, 32).weight_ih.shape
    assert GRUPolicy(4, 12, 32).cell.weight_ih.shape == plain


def test_a_call_is_rehearsed_within_bounds() -> None:
    made: list[int] = []

    def endless() -> None:
        while True:
            pass

    assert rehearse(lambda: made.append(1), 6) is None
    assert made == []  # it happened in a copy of this process
    assert rehearse(endless, 6) == "2 seconds"
    assert rehearse(lambda: list(range(10**9)), 6) == "1,024 MB"


def test_a_generator_is_rehearsed_once_for_each_number_of_experts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rehearsed: list[int] = []
    monkeypatch.setattr("topologies.networkx.rehearse", lambda _, n: rehearsed.append(n))
    topology = NetworkXTopology("watts_strogatz_graph", {"k": 2, "p": 0.5}, redraw="agent")
    hidden = torch.zeros(3, 6, 1)
    for _ in range(2):
        topology(hidden, torch.Generator())
    topology(torch.zeros(1, 7, 1), torch.Generator())
    assert rehearsed == [6, 7]
    expected = nx.watts_strogatz_graph(6, 2, 0.5, seed=0).number_of_edges()
    assert topology.graph(6).number_of_edges() == 2 * expected


def test_numbers_of_numpy_are_kept_as_plain_data() -> None:
    policy = partial(GRUPolicy, gain=np.float32(1))
    topology = RandomTopology(k=np.int32(2))  # type: ignore[arg-type]
    agent = BadgerAgent(GAME, policy, topology, hidden_size=np.int64(8))  # type: ignore[arg-type]
    assert [type(value) for value in (agent.hidden_size, agent.policy.gain)] == [int, float]
    assert agent.reset(1, np.int64(4), 1).hidden.shape == (4, 8)  # type: ignore[arg-type]


def test_a_library_that_was_cut_short_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, path = tmp_path / "source", tmp_path / "cache" / "library.so"
    source.write_bytes(bytes(1000))
    monkeypatch.setattr(library, "_command", lambda _, out: ["cp", str(source), str(out)])
    for said in ("compiling the fused", "is damaged, so it is made again"):
        assert library._compile_once(path, "c++") is None
        assert said in capsys.readouterr().err
        assert path.read_bytes() == source.read_bytes()
        assert library._whole(path)
        assert library._compile_once(path, "c++") is None
        assert capsys.readouterr().err == ""
        path.write_bytes(bytes(500))
        assert not library._whole(path)
