"""Components as plain data: nothing but classes of components is ever built from it."""

from __future__ import annotations

import json
import sys
import typing
from functools import partial
from pathlib import Path

import pytest
import torch
from properties import GAME, assert_round_trip, seeded
from properties import small_agent as agent_of

from badger_graph import (
    BadgerAgent,
    Birth,
    Choice,
    ClearChannel,
    FixedRounds,
    GuessingGame,
    HardwiredMembrane,
    Interface,
)
from badger_graph.membranes import (
    MEMBRANES,
    AttentionMembrane,
    CrossbarMembrane,
    Membrane,
    WholeMembrane,
)
from badger_graph.outer.config import from_config, to_config
from badger_graph.policies import POLICIES
from badger_graph.tasks import CLASSIFICATION
from topologies import GivenGraph, NetworkXTopology, RandomTopology


def small_agent() -> BadgerAgent:
    topology, membrane = RandomTopology(k=2, seed=7), partial(HardwiredMembrane, readers=[0, 2])
    parts = {"communication": FixedRounds(2), "birth": Birth(seed=5)}
    return agent_of(topology, membrane=membrane, **parts)


PARTS = [*POLICIES.values(), *MEMBRANES.values()]
"""What agents build."""


@pytest.mark.parametrize("cls", PARTS)
def test_every_part_of_an_agent_has_a_config_without_its_sizes(cls: type) -> None:
    membranes = {"AttentionPolicy": AttentionMembrane, "LSTMPolicy": WholeMembrane}
    membrane = membranes.get(cls.__name__, HardwiredMembrane)
    if issubclass(cls, Membrane):
        part = cls(CLASSIFICATION if cls is CrossbarMembrane else GAME, 12, 32)
    else:
        part = cls(membrane(GAME, 12, 32).percept_size, 12, 32)
    config = json.loads(json.dumps(to_config(part)))
    assert config["class_path"] == f"{cls.__module__}.{cls.__qualname__}"
    assert not {"interface", "percept_size", "identifier_size", "hidden_size"} & set(
        config["init_args"]
    )
    build = from_config(config)
    assert isinstance(build, partial)
    assert (build.func, build.keywords) == (cls, config["init_args"])


def test_config_of_an_agent_by_hand() -> None:
    game = {"feedback": 1, "input": 0, "output": 1}
    real = {"class_path": "badger_graph.actions.real.Real", "init_args": {}}
    clear = {"class_path": "badger_graph.channels.clear.ClearChannel", "init_args": {}}
    of = {
        "interface": ("typing.Interface", {**game, "action": real}),
        "policy": (
            "policies.gru.GRUPolicy",
            {"message_size": 4, "gain": 1.0, "aggregation": "mean"},
        ),
        "membrane": (
            "membranes.hardwired.HardwiredMembrane",
            {"readers": [0, 2], "see_action": True, "see_role": True},
        ),
        "communication": (
            "communication.fixed_rounds.FixedRounds",
            {"rounds": 2, "channel": clear},
        ),
        "birth": (
            "birth.Birth",
            {
                "identifiers": "fixed",
                "addresses": "random",
                "initial_state": "zero",
                "codebooks": None,
                "seed": 5,
                "address_seed": 0,
                "graph_seed": None,
            },
        ),
    }
    config = to_config(small_agent())
    assert config["class_path"] == "badger_graph.agent.BadgerAgent"
    told = config["init_args"]
    for name, (path, arguments) in of.items():
        assert told[name] == {"class_path": f"badger_graph.{path}", "init_args": arguments}, name
    assert told["topology"]["class_path"] == "topologies.random.RandomTopology"
    assert told["topology"]["init_args"]["seed"] == 7
    rest = {name: value for name, value in told.items() if name not in {*of, "topology"}}
    sizes = {"identifier_size": 3, "hidden_size": 6}
    assert rest == {**sizes, "executor": "auto", "compiled": False}


@pytest.mark.parametrize(
    "component",
    [
        Interface(2, 3, 4, Choice()),
        Birth("none", "fixed", "random", 3, 1, 2, 4),
        FixedRounds(3, ClearChannel()),
    ],
    ids=repr,
)
def test_what_is_no_module_is_the_same_again(component: object) -> None:
    config = json.loads(json.dumps(to_config(component)))
    again = from_config(config)
    assert to_config(again) == config
    assert isinstance(component, FixedRounds) or again == component


@pytest.mark.parametrize(
    "topology",
    [
        GivenGraph(4, [[0, 1, 2], [1, 2, 3]], [1.0, 0.5, 2.0]),
        NetworkXTopology("watts_strogatz_graph", {"k": 2, "p": 0.5}, redraw="agent", seed=3),
    ],
    ids=repr,
)
def test_topologies_with_data_of_their_own(topology: typing.Any) -> None:
    assert_round_trip(topology, lambda t: tuple(t(torch.zeros(2, 4, 3), seeded(0))))


def test_arguments_that_are_left_out_have_their_defaults() -> None:
    game = from_config({"class_path": "badger_graph.tasks.guessing.GuessingGame"})
    assert to_config(game) == to_config(GuessingGame())


def test_only_components_have_a_config() -> None:
    for thing in (3, torch.nn.Linear(1, 1), GuessingGame, {"class_path": "os.system"}):
        with pytest.raises(TypeError, match="only components have a config, got a"):
            to_config(thing)


@pytest.mark.parametrize(
    "class_path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "pathlib.Path",
        "torch.nn.modules.linear.Linear",
        "badger_graph.agent.deliberate",  # a function
        "topologies.file.graph_file",  # a function that returns a component
        "badger_graph.agent.torch",  # a module
        "badger_graph.agent.BadgerAgent.reset",
        "badger_graph.agent.Nobody",
        "badger_graph.nowhere.GRUPolicy",
        "GRUPolicy",
        "",
        "__class__",
        "..",
        None,
        3,
        ["os", "system"],
    ],
)
def test_what_is_no_component_is_refused(class_path: typing.Any, tmp_path: Path) -> None:
    mark = tmp_path / "was_run"
    config = {"class_path": class_path, "init_args": {"command": f"touch {mark}"}}
    with pytest.raises(
        ValueError, match=r"a config must name a policy, .* of a module that is imp"
    ):
        from_config(config)
    assert not mark.exists()


def test_modules_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing would run the module's code."""
    mark = tmp_path / "was_run"
    (tmp_path / "my_policies.py").write_text(
        f"open({str(mark)!r}, 'w')\nfrom badger_graph import GRUPolicy\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"class_path": "my_policies.GRUPolicy", "init_args": {}}
    with pytest.raises(ValueError, match=r"got 'my_policies\.GRUPolicy'; import your own modules"):
        from_config(config)
    assert not mark.exists()
    assert "my_policies" not in sys.modules


def test_abstract_classes_cannot_be_built() -> None:
    config = {"class_path": "badger_graph.tasks.base.TaskFamily", "init_args": {}}
    with pytest.raises(ValueError, match="TaskFamily cannot be built with these arguments"):
        from_config(config)
    config = to_config(small_agent())
    config["init_args"]["policy"] = {"class_path": "badger_graph.policies.base.ExpertPolicy"}
    with pytest.raises(ValueError, match="cannot be built with these arguments"):
        from_config(config)


@pytest.mark.parametrize(
    ("part", "arguments", "message"),
    [
        ("communication", {"colour": "red"}, "FixedRounds cannot be built with .*'colour'"),
        ("communication", {"rounds": 0}, "rounds must be at least 1, got 0"),
        ("policy", {"colour": "red"}, "BadgerAgent cannot be built with .*'colour'"),
        ("policy", {"hidden_size": 8}, "policy is told its sizes .* got hidden_size"),
    ],
)
def test_arguments_that_are_refused(part: str, arguments: typing.Any, message: str) -> None:
    config = to_config(small_agent())
    config["init_args"][part]["init_args"] |= arguments
    with pytest.raises(ValueError, match=message):
        from_config(config)
