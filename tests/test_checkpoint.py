"""Trained agents from files: the same bits, frozen, and no code from a file is ever run."""

from __future__ import annotations

import pickle
import random
import typing
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning.pytorch.callbacks import ModelCheckpoint
from properties import Fit, Intruder, Make, seeded, some_task
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    Birth,
    ConvergeFast,
    FixedRounds,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    MetaLearner,
    load_agent,
    load_learner,
    unroll,
)
from badger_graph.library.load import read_checkpoint
from badger_graph.library.resume import require_same_run
from badger_graph.outer.config import CONFIG_KEY
from topologies import CompleteTopology, RandomTopology


def actions(agent: BadgerAgent, num_experts: int = 5, num_outputs: int = 2) -> Tensor:
    task = some_task(6, num_outputs)
    with torch.no_grad():
        return unroll(agent, task, num_experts, 6, seeded(0)).action


def saving(folder: Path, **arguments: typing.Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, every_n_train_steps=1, **arguments)


@pytest.fixture
def learner(tiny_learner: Make) -> MetaLearner:
    return tiny_learner()


@pytest.fixture
def path(learner: MetaLearner, fit: Fit, tmp_path: Path) -> Path:
    """The checkpoint of ``learner`` after two outer steps."""
    fit(learner, 2, saving(tmp_path, filename="trained"))
    return tmp_path / "trained.ckpt"


def damaged(path: Path, contents: object) -> Path:
    """Another file beside the checkpoint, with these bytes or this object in it."""
    other = path.with_name("damaged.ckpt")
    if isinstance(contents, bytes):
        other.write_bytes(contents)
    else:
        torch.save(contents, other)
    return other


def assert_bad_checkpoint(path: Path, rule: str) -> None:
    """Every reader says the rule and names the file, on one screen."""
    for read in (read_checkpoint, load_learner, load_agent):
        with pytest.raises(ValueError, match=rule) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 2000


# ----------------------------------------------------------------------------------- loading


def test_a_loaded_agent_acts_bit_for_bit_alike(learner: MetaLearner, path: Path) -> None:
    agent = load_agent(path)
    # torch multiplies by weights that need no gradient in another order, one bit apart.
    trained = learner.agent.requires_grad_(False)
    for sizes in ((5, 2), (9, 4), (70, 1)):
        assert torch.equal(actions(agent, *sizes), actions(trained, *sizes))


def test_the_checkpoint_holds_the_trained_weights(tiny_learner: Make, path: Path) -> None:
    assert not torch.allclose(actions(load_agent(path)), actions(tiny_learner().agent))


def test_a_loaded_agent_is_frozen(path: Path) -> None:
    agent = load_agent(path)
    assert not agent.training
    assert not any(parameter.requires_grad for parameter in agent.parameters())


def test_every_setting_comes_back(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    learner = tiny_learner(meta_loss=ConvergeFast(discount=0.9), seed=5)
    learner.task = GuessingGame(error="l1", feedback="per_output", bins=12)
    learner.agent = BadgerAgent(
        learner.task.interface,
        partial(GRUPolicy, message_size=4),
        RandomTopology(k=3, redraw="agent", seed=2),
        partial(HardwiredMembrane, readers=[1], see_action=False),
        FixedRounds(2),
        Birth("random", "fixed", "random", codebooks=7, seed=9, address_seed=3, graph_seed=1),
        identifier_size=2,
        hidden_size=5,
    )
    fit(learner, 1, saving(tmp_path, filename="trained"))
    again = load_learner(tmp_path / "trained.ckpt")
    assert again.config() == learner.config()
    assert torch.equal(actions(again.agent), actions(learner.agent))


def test_a_loaded_agent_lives_on_a_graph_it_never_saw(path: Path) -> None:
    agent = load_agent(path)
    before = actions(agent)
    agent.topology = CompleteTopology()
    assert not torch.allclose(actions(agent), before)


# ----------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(path: Path, part: float) -> None:
    whole = path.read_bytes()
    rule = "truncated or damaged" if part == 0.5 else "a checkpoint must"
    assert_bad_checkpoint(damaged(path, whole[: int(part * len(whole))]), rule)


@given(seed=st.integers(0, 10**6), legacy=st.booleans(), length=st.floats(0, 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_damage_of_any_kind_is_refused_or_harmless(
    path: Path, seed: int, legacy: bool, length: float
) -> None:
    """Wrong bytes anywhere, in either format of torch: a ValueError, or nothing that matters."""
    other = path.with_name("other.ckpt")
    torch.save(torch.load(path), other, _use_new_zipfile_serialization=not legacy)
    generator, contents = random.Random(seed), bytearray(other.read_bytes())
    for _ in range(generator.choice([0, 1, 5, 50])):
        contents[generator.randrange(len(contents))] = generator.randrange(256)
    if generator.random() < 0.5:
        del contents[int(length * len(contents)) :]
    try:
        agent = load_agent(damaged(path, bytes(contents)))
    except ValueError:
        return
    assert actions(agent).shape == (6, 6, 2)


@pytest.mark.parametrize("hidden_in", ["a pickle", "extra", "state_dict", CONFIG_KEY])
def test_code_in_a_checkpoint_is_not_run(path: Path, tmp_path: Path, hidden_in: str) -> None:
    mark = tmp_path / "was_run"
    intruder = Intruder(mark)
    if hidden_in == "a pickle":
        bad = damaged(path, pickle.dumps(intruder, protocol=2))
        careless = partial(pickle.loads, bad.read_bytes())
    else:
        bad = damaged(path, {**torch.load(path), hidden_in: {"agent": intruder}})
        careless = partial(torch.load, bad, weights_only=False)
    assert_bad_checkpoint(bad, r"no pickled code, but .* \(nothing of it was run\)")
    assert not mark.exists()
    careless()  # or else the lines above show nothing
    assert mark.exists()


BYTES = [b"", b"hello\n", b"epoch: 3\nweights: none\n" * 100, b"\x80", bytes(1000), b"e.", b"0"]
OBJECTS = [{"state_dict": {}, "global_step": 3}, {}, [1, 2], torch.zeros(2), 7, "text"]


@pytest.mark.parametrize("contents", [*BYTES, *OBJECTS], ids=lambda contents: str(contents)[:12])
def test_a_file_that_is_something_else(path: Path, contents: object) -> None:
    of_another_program = "be written by badger-graph, .* is not"
    rule = "" if isinstance(contents, bytes) else of_another_program
    assert_bad_checkpoint(damaged(path, contents), f"a checkpoint must {rule}")


def test_weights_that_do_not_fit(tiny_learner: Make, path: Path) -> None:
    wider = tiny_learner(hidden_size=9).state_dict()
    for change in (
        lambda checkpoint: checkpoint.update(state_dict=wider),
        lambda checkpoint: checkpoint["state_dict"].popitem(),
        lambda checkpoint: checkpoint["state_dict"].update(extra=torch.zeros(1)),
        lambda checkpoint: checkpoint.pop("state_dict"),
    ):
        checkpoint = torch.load(path)
        change(checkpoint)
        with pytest.raises(ValueError, match=r"must (fit its GRUPolicy|hold state_dict)"):
            load_agent(damaged(path, checkpoint))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"sizes": {"num_experts": 0}}, "num_experts must be at least 1, or none, got 0"),
        (
            {"sizes": {"num_experts": 1}},
            "k must be less than the number of experts|num_outputs <= num_exp",
        ),
        (
            {"sizes": {"num_experts": "five"}},
            "num_experts must be a whole number, or none, got 'five'",
        ),
        ({"colour": "red"}, "a checkpoint must say how its agent is built, .*colour"),
        ({"task": {"class_path": "os.system"}}, "a config must name .* got 'os.system'"),
        ({"agent": 3}, "agent must be a BadgerAgent, got 3"),
    ],
)
def test_a_description_that_describes_nothing(
    path: Path, change: dict[str, object], rule: str
) -> None:
    checkpoint = torch.load(path)
    checkpoint[CONFIG_KEY] = {**checkpoint[CONFIG_KEY], **change}
    with pytest.raises(ValueError, match=rule):
        load_learner(damaged(path, checkpoint))


# --------------------------------------------------------------------------------- resuming


def test_the_same_agent_may_go_on(tiny_learner: Make, path: Path) -> None:
    require_same_run(path, tiny_learner(weights=1))  # the weights come from the checkpoint
