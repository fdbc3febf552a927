"""Runs from before: what they wrote is read in the form of today, and they go on alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import ROOT, assert_same_bits, call, load
from lightning import Trainer

from badger_graph import MetaLearner, load_learner
from badger_graph.cli import fit_main
from badger_graph.library.resume import build_learner, require_same_agent
from badger_graph.library.shipping import read_card, shipped_policies
from badger_graph.library.upgrade import upgrade_model, upgrade_settings
from badger_graph.outer.config import CONFIG_KEY, to_config
from badger_graph.outer.gradients import Backpropagation, Captured
from badger_graph.outer.losses import Alikeness, LogError, MeanOverEnd, Sum

OLD = ROOT / "tests" / "old_runs"
"""The config.yaml of a run and the description in a checkpoint of another, word for word."""

REGULARISED = yaml.safe_load((OLD / "regularised.yaml").read_text())
AGGREGATED = json.loads((OLD / "aggregated.json").read_text())

Make = Callable[..., MetaLearner]
Fit = Callable[..., Trainer]


def test_settings_by_hand() -> None:
    before = copy.deepcopy(REGULARISED)
    after = upgrade_settings(REGULARISED)
    assert before == REGULARISED
    model = after.pop("model")
    assert model["sizes"] == {"num_experts": 6, "num_outputs": 3, "num_steps": 8, "batch_size": 16}
    assert model["gradient"] == to_config(Backpropagation(detach_every=3))
    assert model["meta_loss"] == to_config(Sum([MeanOverEnd(), Alikeness()]))
    same = ("agent", "task", "curriculum", "val_batches", "optimizer", "decay_from")
    assert model == {name: before["model"][name] for name in same} | {
        name: model[name] for name in ("sizes", "gradient", "meta_loss")
    }
    assert after == {name: part for name, part in before.items() if name != "model"}


def test_a_description_by_hand() -> None:
    model = upgrade_model(AGGREGATED)
    assert model["meta_loss"] == to_config(LogError())
    assert model["gradient"] == {
        "class_path": "badger_graph.outer.gradients.jacobian.JacobianDescent",
        "init_args": {
            "detach_every": None,
            "checkpoint_every": 3,
            "aggregator": AGGREGATED["aggregator"],
        },
    }
    assert model.keys() == {
        *("agent", "task", "meta_loss", "gradient"),
        "curriculum",
        "sizes",
        "seed",
    }
    learner = build_learner(model)
    assert to_config(learner.gradient) == to_config(Backpropagation(checkpoint_every=3))
    assert learner.sizes.num_experts == 6


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
    assert said["gradient"] == card["gradient"] == to_config(Backpropagation())


@pytest.mark.parametrize(
    "settings",
    [
        upgrade_settings(REGULARISED),
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
        done = call(fit_main, *smoke, "--run_dir", run, "--max_steps", str(steps), cwd=tmp_path)
        assert done.code == 0, done.err
    settings = tmp_path / "old" / "config.yaml"
    config = yaml.safe_load(settings.read_text())
    config["model"] = downgraded(config["model"]) | {"cuda_graph": False}
    settings.write_text(yaml.safe_dump(config))
    for file in (tmp_path / "old" / "checkpoints").glob("*.ckpt"):
        checkpoint = load(file)
        checkpoint[CONFIG_KEY] = downgraded(checkpoint[CONFIG_KEY])
        torch.save(checkpoint, file)
    goes_on = ["--ckpt_path", "last", "--run_dir", "old", "--max_steps", "20"]
    done = call(fit_main, *goes_on, cwd=tmp_path)
    assert done.code == 0, done.err
    old, whole = (load(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("old", "whole"))
    for part in ("state_dict", "optimizer_states", "global_step", CONFIG_KEY):
        assert_same_bits(old[part], whole[part])


def test_a_captured_run_goes_on_without_and_the_other_way_round(
    tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    """A CUDA graph does what backpropagation does, but not what truncated one does."""
    file = tmp_path / "it.ckpt"
    fit(tiny_learner(), 1).save_checkpoint(file)
    require_same_agent(file, tiny_learner(gradient=Captured()))
    with pytest.raises(ValueError, match=r"gradient was .*None.* is .*'detach_every': 2"):
        require_same_agent(file, tiny_learner(gradient=Captured(2)))
