"""Runs from before: what they wrote is read in the form of today, and they go on alike."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import ROOT, assert_same_bits, load, succeed
from properties import Fit, Make

from badger_graph import Birth, FixedRounds, load_learner
from badger_graph.cli import fit_main
from badger_graph.library.resume import build_learner, require_same_run
from badger_graph.library.shipping import read_card, shipped_policies
from badger_graph.library.upgrade import (
    current,
    upgrade_description,
    upgrade_model,
    upgrade_settings,
)
from badger_graph.outer.config import CONFIG_KEY, to_config, with_defaults
from badger_graph.outer.gradients import Backpropagation, Captured
from badger_graph.outer.losses import Alikeness, LogError, MeanOverEnd, Sum

OLD = ROOT / "tests" / "old_runs"
"""The config.yaml of a run and the description in a checkpoint of another, word for word."""

REGULARISED = yaml.safe_load((OLD / "regularised.yaml").read_text())
ADDRESSED = yaml.safe_load((OLD / "addressed.yaml").read_text())
AGGREGATED = json.loads((OLD / "aggregated.json").read_text())


def test_settings_by_hand() -> None:
    before = copy.deepcopy(REGULARISED)
    after = upgrade_settings(REGULARISED)
    assert before == REGULARISED
    model = after.pop("model")
    assert model["sizes"] == {"num_experts": 6, "num_outputs": 3, "num_steps": 8, "batch_size": 16}
    assert model["gradient"] == to_config(Backpropagation(detach_every=3))
    assert model["meta_loss"] == to_config(Sum([MeanOverEnd(), Alikeness()]))
    same = ("task", "curriculum", "val_batches", "optimizer", "decay_from")
    assert model == {name: before["model"][name] for name in same} | {
        name: model[name] for name in ("agent", "sizes", "gradient", "meta_loss")
    }
    assert after == {name: current(part) for name, part in before.items() if name != "model"}


def test_a_description_by_hand() -> None:
    model = upgrade_description(AGGREGATED)
    assert model["meta_loss"] == to_config(LogError())
    assert model["gradient"] == {
        "class_path": "badger_graph.outer.gradients.jacobian.JacobianDescent",
        "init_args": {
            "detach_every": None,
            "checkpoint_every": 3,
            "aggregator": AGGREGATED["aggregator"],
        },
    }
    parts = {"agent", "task", "meta_loss", "gradient", "curriculum", "sizes", "seed"}
    assert model.keys() == parts
    learner = build_learner(model)
    assert to_config(learner.gradient) == to_config(Backpropagation(checkpoint_every=3))
    assert learner.sizes.num_experts == 6


def test_settings_of_an_agent_by_hand() -> None:
    """Sizes are said once, what happens at birth is one value, and so is the communication."""
    agent = upgrade_settings(ADDRESSED)["model"]["agent"]
    assert agent["policy"]["init_args"] == {"message_size": 24, "gain": 1.65, "aggregation": "mean"}
    assert agent["topology"]["init_args"] == {"key_size": 16, "beta": 1.0}
    assert (
        not {"hidden_size", "identifier_size", "addresses", "seed"}
        & agent["membrane"]["init_args"].keys()
    )
    assert (agent["identifier_size"], agent["hidden_size"]) == (16, 48)
    assert agent["communication"] == to_config(FixedRounds(1))
    assert Birth(**agent["birth"]) == Birth("random")
    assert (agent["executor"], agent["compiled"]) == ("auto", False)
    curriculum = upgrade_settings(ADDRESSED)["model"]["curriculum"]
    assert curriculum["class_path"] == "badger_graph.outer.curriculum.more_codebooks.MoreCodebooks"


@pytest.mark.parametrize(
    ("name", "sizes", "birth", "shown"),
    [
        ("lstm", (0, 128), Birth(), (1, 4)),
        ("attentional", (16, 16), Birth("random", initial_state="learned"), (32, 16)),
    ],
)
def test_descriptions_of_agents(
    name: str, sizes: tuple[int, int], birth: Birth, shown: tuple[int, int]
) -> None:
    """The learner that an old description builds says of itself all that it is upgraded to."""
    before = json.loads((OLD / f"{name}.json").read_text())
    model = upgrade_description(before)
    agent = build_learner(model).agent
    assert (agent.identifier_size, agent.hidden_size) == sizes
    assert agent.birth == birth
    assert agent.membrane.percept_size == shown
    assert to_config(agent) == with_defaults(model["agent"])
    assert upgrade_description(model) == model


def test_weights_keep_their_numbers() -> None:
    """Optimisers keep their state by the numbers of weights, which older ones gave so."""
    agent = build_learner(upgrade_description(json.loads((OLD / "attentional.json").read_text())))
    parts = [name.split(".")[1] for name, _ in agent.named_parameters()]
    assert list(dict.fromkeys(parts)) == ["policy", "membrane"]


@pytest.mark.parametrize(
    ("told", "gradient"),
    [
        ({"cuda_graph": True, "detach_every": 2}, Captured(2)),
        ({"cuda_graph": False, "aggregator": None}, Backpropagation()),
        ({"checkpoint_every": 4}, Backpropagation(None, 4)),
    ],
)
def test_gradients(told: dict[str, Any], gradient: Any) -> None:
    upgraded = upgrade_model(told)["gradient"]
    made = type(gradient)(**upgraded["init_args"])
    assert upgraded["class_path"] == to_config(gradient)["class_path"]
    assert to_config(made) == to_config(gradient)


@pytest.mark.parametrize("name", shipped_policies())
def test_shipped_policies_are_described_as_today(name: str) -> None:
    """Their cards are older; the learner of each says all that its card did."""
    card = upgrade_model(read_card(name)["config"])
    said = load_learner(name).config()
    assert said["sizes"] == card["sizes"]
    assert said["task"] == card["task"]
    assert said["meta_loss"]["class_path"] == card["meta_loss"]["class_path"]
    assert said["gradient"] == card["gradient"]


@pytest.mark.parametrize(
    "settings",
    [
        upgrade_settings(REGULARISED),
        upgrade_settings(ADDRESSED),
        yaml.safe_load((ROOT / "configs" / "fit.yaml").read_text()),
        {},
        {"model": None},
        {"model": {"meta_loss": "last", "sizes": 3, "class_path": ["x"]}},
    ],
)
def test_what_needs_none_is_left_alone(settings: dict[str, Any]) -> None:
    assert upgrade_settings(settings) == settings


def downgraded(model: dict[str, Any]) -> dict[str, Any]:
    """Today's arguments of a learner as they were once written."""
    old = {**model, **model["sizes"], **model["gradient"]["init_args"]}
    old |= {
        "meta_loss": {**model["meta_loss"], "class_path": "badger_graph.outer.losses.MeanOverEnd"}
    }
    del old["sizes"], old["gradient"]
    return old | {"regulariser": None, "aggregator": None}


def test_an_old_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    smoke = ["--config", "smoke", "--gradient.detach_every", "3", "--evaluate", "false"]
    for run, steps in (("whole", 20), ("old", 10)):
        succeed(fit_main, *smoke, "--run_dir", run, "--max_steps", str(steps), cwd=tmp_path)
    settings = tmp_path / "old" / "config.yaml"
    config = yaml.safe_load(settings.read_text())
    config["model"] = downgraded(config["model"]) | {"cuda_graph": False}
    settings.write_text(yaml.safe_dump(config))
    for file in (tmp_path / "old" / "checkpoints").glob("*.ckpt"):
        checkpoint = load(file)
        checkpoint[CONFIG_KEY] = downgraded(checkpoint[CONFIG_KEY])
        torch.save(checkpoint, file)
    goes_on = ["--ckpt_path", "last", "--run_dir", "old", "--max_steps", "20"]
    succeed(fit_main, *goes_on, cwd=tmp_path)
    old, whole = (load(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("old", "whole"))
    for part in ("state_dict", "optimizer_states", "global_step", CONFIG_KEY):
        assert_same_bits(old[part], whole[part])


def test_a_captured_run_goes_on_without_and_the_other_way_round(
    tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    """A CUDA graph does what backpropagation does, but not what truncated one does."""
    file = tmp_path / "it.ckpt"
    fit(tiny_learner(), 1).save_checkpoint(file)
    require_same_run(file, tiny_learner(gradient=Captured()))
    with pytest.raises(ValueError, match=r"gradient\.detach_every was None .* is 2"):
        require_same_run(file, tiny_learner(gradient=Captured(2)))
