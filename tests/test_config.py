"""Components as plain data: nothing but classes of components is ever built from it."""

from __future__ import annotations

import json
import sys
import typing
from pathlib import Path

import pytest
import torch
from properties import assert_round_trip, seeded

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, HardwiredMembrane, unroll
from badger_graph.membranes import MEMBRANES
from badger_graph.outer import META_LOSSES
from badger_graph.outer.config import from_config, to_config
from badger_graph.policies import POLICIES
from badger_graph.tasks import TASKS
from topologies import GivenGraph, NetworkXTopology, RandomTopology


def small_agent() -> BadgerAgent:
    policy = GRUPolicy(identifier_size=3, hidden_size=6, message_size=4)
    return BadgerAgent(policy, RandomTopology(k=2, seed=7), HardwiredMembrane(readers=[0, 2]))


@pytest.mark.parametrize(
    "cls",
    [*POLICIES.values(), *MEMBRANES.values(), *TASKS.values(), *META_LOSSES.values()],
)
def test_every_component_has_a_config(cls: type) -> None:
    config = json.loads(json.dumps(to_config(cls())))
    assert config["class_path"] == f"{cls.__module__}.{cls.__qualname__}"
    assert type(from_config(config)) is cls


def test_config_of_an_agent_by_hand() -> None:
    config = to_config(small_agent())
    assert config["class_path"] == "badger_graph.agent.BadgerAgent"
    assert config["init_args"]["policy"] == {
        "class_path": "badger_graph.policies.gru.GRUPolicy",
        "init_args": {
            "percept_size": 4,
            "identifier_size": 3,
            "hidden_size": 6,
            "message_size": 4,
            "gain": 1.0,
            "aggregation": "mean",
        },
    }
    assert config["init_args"]["topology"]["class_path"] == "topologies.random.RandomTopology"
    assert config["init_args"]["topology"]["init_args"]["seed"] == 7
    assert config["init_args"]["membrane"]["init_args"]["readers"] == [0, 2]
    assert config["init_args"]["rounds"] == 1


def test_an_agent_is_built_again() -> None:
    def actions(agent: BadgerAgent) -> torch.Tensor:
        return unroll(agent, GuessingGame().sample(3, 2, seeded(0)), 5, 3, seeded(0)).action

    assert_round_trip(small_agent(), actions)


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
        "badger_graph.agent.split",  # a function
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


def test_what_is_no_component_is_refused_inside_of_one() -> None:
    config = to_config(small_agent())
    config["init_args"]["policy"] = {"class_path": "os.system", "init_args": {"command": "true"}}
    with pytest.raises(ValueError, match=r"got 'os\.system'"):
        from_config(config)


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
    config = {"class_path": "badger_graph.policies.base.ExpertPolicy", "init_args": {}}
    with pytest.raises(ValueError, match="ExpertPolicy cannot be built with these arguments"):
        from_config(config)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"colour": "red"}, "GRUPolicy cannot be built with these arguments: .*'colour'"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"hidden_size": "many"}, "hidden_size must be a whole number, got 'many'"),
        ({"hidden_size": None}, "hidden_size must be a whole number, got None"),
    ],
)
def test_arguments_that_are_refused(arguments: typing.Any, message: str) -> None:
    config = {"class_path": "badger_graph.policies.gru.GRUPolicy", "init_args": arguments}
    with pytest.raises(ValueError, match=message):
        from_config(config)
