"""Shipped policies: they load by name, do what their cards say, and damaged ones are refused."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from command_line import ROOT, succeed

from badger_graph import load_agent, load_learner, read_card, shipped_policies, unroll
from badger_graph.callbacks.record import TrainingRecord, recorded_pieces
from badger_graph.cli import evaluate_main, fit_main
from badger_graph.experiments.paper.relative_error import relative_error
from badger_graph.library.load import read_checkpoint
from badger_graph.library.shipping import SHIPPED
from badger_graph.runs import run_folder

SHIP = runpy.run_path(str(ROOT / "scripts" / "ship.py"))["ship"]
LAST_DIGIT = 1e-4


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The weights of a policy outside the package, its card beside them."""
    for ending in ("json", "safetensors"):
        shutil.copy(SHIPPED / f"micro_badger.{ending}", tmp_path)
    return tmp_path / "micro_badger.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after 10 outer steps and went on to 20."""
    folder = tmp_path_factory.mktemp("trained")
    for arguments in (["--config=smoke", "--max_steps=10"], ["--ckpt_path=last", "--max_steps=20"]):
        succeed(fit_main, *arguments, "--evaluate=false", cwd=folder)
    return folder / "runs/0/checkpoints/last.ckpt"


# ------------------------------------------------------------------------------ what is shipped


@pytest.mark.parametrize("name", shipped_policies())
def test_a_policy_does_what_its_card_says(name: str) -> None:
    card, learner = read_card(name), load_learner(name)
    errors, agent = card["errors"], load_agent(name)
    trained_for = min(learner.sizes.num_outputs, 6)  # more take longer
    told = {name: errors[name] for name in ("num_steps", "num_tasks", "seed")}
    for row in [row for row in errors["table"] if row["num_outputs"] in (1, trained_for)]:
        sizes = (row["num_experts"], row["num_outputs"])
        measured = relative_error(agent, learner.task, *sizes, **told)
        assert measured.error == pytest.approx(row["error"], abs=LAST_DIGIT)
        assert measured.standard_error == pytest.approx(row["standard_error"], abs=LAST_DIGIT)


@pytest.mark.parametrize("name", shipped_policies())
def test_a_card_says_how_the_policy_came_about(name: str) -> None:
    card = read_card(name)
    assert card["name"] == name
    training = card["training"]
    assert training["outer_steps"] > 0
    assert training["seconds"] == pytest.approx(sum(p["seconds"] for p in training["pieces"]))
    assert all(piece["command"] and piece["machine"] for piece in training["pieces"])
    assert {"torch", "badger-graph"} <= card["versions"].keys()
    assert (SHIPPED / f"{name}.safetensors").stat().st_size < 2**20


def test_a_shipped_agent_solves_its_task() -> None:
    agent, learner = load_agent("micro_badger"), load_learner("micro_badger")
    task = learner.task.sample(64, learner.sizes.num_outputs, torch.Generator().manual_seed(3))
    loss = unroll(agent, task, learner.sizes.num_experts, learner.sizes.num_steps).loss
    assert loss[-1].mean() < 0.01 < loss[0].mean()


def test_no_file_without_the_other() -> None:
    files = {path.name for path in SHIPPED.iterdir()}
    expected = (f"{name}.{end}" for name in shipped_policies() for end in ("json", "safetensors"))
    assert files == set(expected)


def test_a_shipped_policy_is_evaluated_by_name(tmp_path: Path) -> None:
    few = ["--num_tasks", 4, "--figures", "false", "--baselines", "false"]
    succeed(evaluate_main, "micro_badger", *few, cwd=tmp_path)
    written = json.loads((tmp_path / "runs/micro_badger/evaluation/evaluation.json").read_text())
    assert written["outer_steps"] == read_card("micro_badger")["training"]["outer_steps"]


def test_a_file_comes_before_a_shipped_policy_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("micro_badger").write_bytes(b"mine")
    with pytest.raises(ValueError, match="a checkpoint must hold tensors"):
        load_agent("micro_badger")


# ------------------------------------------------------------------------------- damaged policies


def test_a_changed_weight_is_noticed(copied: Path) -> None:
    contents = bytearray(copied.read_bytes())
    contents[-1] ^= 1
    copied.write_bytes(contents)
    with pytest.raises(ValueError, match=r"must be those of its card, .* was changed"):
        load_agent(copied)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"init_args": {"message_size": 31}}, r"the weights in .* must fit its GRUPolicy"),
        ({"class_path": "os.system"}, r"a config must name .* got 'os.system'"),
    ],
)
def test_cards_of_another_policy_are_refused(
    copied: Path, policy: dict[str, object], message: str
) -> None:
    """And no code that they name is run."""
    card = read_card(copied)
    card["config"]["agent"]["init_args"]["policy"] |= policy
    copied.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=message):
        load_agent(copied)


@pytest.mark.parametrize(
    ("ending", "contents", "message"),
    [
        (".safetensors", b"no tensors", "a policy needs its weights, cannot read"),
        (".safetensors", None, "a policy needs its weights, cannot read"),
        (".json", b"{", "a policy needs its card, cannot read"),
        (".json", None, "a policy needs its card, cannot read"),
        (".json", b'{"name": "x"}', "a card must hold sha256, config"),
        (".json", b"3", "a card must hold name, sha256, config"),
    ],
)
def test_files_that_cannot_be_read(
    copied: Path, ending: str, contents: bytes | None, message: str
) -> None:
    file = copied.with_suffix(ending)
    file.unlink() if contents is None else file.write_bytes(contents)
    with pytest.raises(ValueError, match=message):
        load_agent(copied)


# ------------------------------------------------------------------------------------- shipping


def test_a_checkpoint_becomes_a_policy(checkpoint: Path, tmp_path: Path) -> None:
    SHIP(str(checkpoint), "mine", spare_experts=3, num_tasks=8, folder=str(tmp_path))
    file = tmp_path / "mine.safetensors"
    card, agent, trained = read_card(file), load_agent(file), load_agent(checkpoint)
    assert card["config"] == read_checkpoint(checkpoint)["badger_graph"]
    for name, weight in trained.state_dict().items():
        assert torch.equal(agent.state_dict()[name], weight), name
    assert card["errors"]["experts"] == {"spare_experts": 3}
    assert [row["num_experts"] for row in card["errors"]["table"]] == list(range(4, 24))
    assert card["training"]["outer_steps"] == 20
    assert [piece["from_step"] for piece in card["training"]["pieces"]] == [0, 10]


def test_the_record_of_a_training_survives_a_resume(checkpoint: Path) -> None:
    first, second = recorded_pieces(read_checkpoint(checkpoint))
    assert first["from_step"] == 0
    assert second["from_step"] == 10
    assert first["seconds"] > 0 < second["seconds"]


def test_a_checkpoint_without_a_record(checkpoint: Path, tmp_path: Path) -> None:
    contents = read_checkpoint(checkpoint)
    del contents["callbacks"][TrainingRecord.__qualname__]
    bare = tmp_path / "bare.ckpt"
    torch.save(contents, bare)
    with pytest.raises(ValueError, match=r"needs .*, got no --machine, --seconds"):
        SHIP(str(bare), "bare", num_tasks=2, command="fit.py", folder=str(tmp_path))
    told = {"command": "fit.py", "machine": "mine", "seconds": 7.0}
    SHIP(str(bare), "bare", num_tasks=2, folder=str(tmp_path), **told)
    assert read_card(tmp_path / "bare.safetensors")["training"]["pieces"] == [
        {**told, "from_step": 0}
    ]


def test_a_name_that_is_no_name(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a word without dot and slash, got 'a\.b'"):
        SHIP(str(checkpoint), "a.b", folder=str(tmp_path))


def test_what_a_shipped_policy_does_goes_to_runs() -> None:
    assert run_folder("micro_badger") == Path("runs/micro_badger")
