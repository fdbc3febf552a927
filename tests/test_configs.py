"""Every file of configs/ works, and fit.yaml names every setting with its default."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import ROOT, succeed

from badger_graph import BadgerAgent, Birth, GuessingGame, MetaLearner, Sizes
from badger_graph.arguments import COMPONENTS
from badger_graph.building import SAID_BY_AGENTS
from badger_graph.cli import fit_main
from badger_graph.outer.config import from_config

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
FIT = yaml.safe_load((ROOT / "configs" / "fit.yaml").read_text())
CLASSES = {
    f"{make.__module__}.{make.__qualname__}": make
    for _, table in COMPONENTS.values()
    for make in table.values()
}


def leaves(config: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(config, dict):
        return {path: config}
    return {
        place: value
        for key, part in config.items()
        for place, value in leaves(part, (*path, key)).items()
    }


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_runs(config: Path, tmp_path: Path) -> None:
    """One outer step and one validation, as configured, and nothing is written."""
    once = ["--trainer.fast_dev_run", "true"]
    result = succeed(fit_main, "--config", config.stem, *once, cwd=tmp_path)
    assert "outer step 1:" in result.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_holds_only_what_differs(config: Path) -> None:
    if config.stem == "fit":
        return
    defaults = leaves(FIT)
    for place, value in leaves(yaml.safe_load(config.read_text())).items():
        if place[-1] != "class_path":  # must be repeated
            assert defaults.get(place) != value, f"{'.'.join(place)} is the default"


def components(config: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [part for part in config.values() if isinstance(part, dict)]
    found = [config] if "class_path" in config else []
    return found + [inner for part in parts for inner in components(part)]


def test_names_every_argument_of_the_default_components() -> None:
    ours = [part for part in components(FIT["model"]) if part["class_path"] in CLASSES]
    assert len(ours) == len(COMPONENTS) - 2  # no curriculum, and the clear channel
    for part in ours:
        signature = inspect.signature(CLASSES[part["class_path"]])
        own = [name for name in signature.parameters if name not in SAID_BY_AGENTS]
        assert list(part.get("init_args", {})) == own, part["class_path"]
        for name, value in part["init_args"].items():
            assert value == signature.parameters[name].default, f"{part['class_path']}: {name}"


@pytest.mark.parametrize(
    ("made", "config"), [(MetaLearner, FIT["model"]), (BadgerAgent, FIT["model"]["agent"])]
)
def test_names_every_argument_of_agent_and_learner(made: type, config: dict[str, Any]) -> None:
    parameters = inspect.signature(made).parameters
    # The seed is that of everything, seed_everything; the interface that of the task.
    assert sorted(config) == sorted(parameters.keys() - {"seed", "interface"})
    for name, value in config.items():
        if not isinstance(value, dict):
            assert value == parameters[name].default, f"{made.__name__}: {name}"
    assert {"seed": FIT["seed_everything"], **FIT["model"]["agent"]["birth"]} == asdict(Birth())
    assert FIT["model"]["sizes"] == asdict(Sizes())


def test_python_has_the_same_default_meta_loss_and_optimizer() -> None:
    parts = (from_config(FIT["model"]["agent"][n]) for n in ("policy", "topology", "membrane"))
    agent = BadgerAgent(GuessingGame.interface, *parts)
    learner = MetaLearner(agent, GuessingGame())
    config = learner.config()
    for name in ("task", "meta_loss"):
        assert config[name]["class_path"] == FIT["model"][name]["class_path"]
        assert config[name]["init_args"] == FIT["model"][name]["init_args"]
    optimizer = learner.configure_optimizers()
    given = FIT["model"]["optimizer"]
    assert given["class_path"] == f"torch.optim.{type(optimizer).__name__}"
    assert optimizer.defaults.items() >= given["init_args"].items()


def test_every_setting_is_explained() -> None:
    """Annotated defaults: what one may want to set has a comment or speaks for itself."""
    text = (ROOT / "configs" / "fit.yaml").read_text()
    for short in (*COMPONENTS, "num_experts", "num_outputs", "num_steps", "batch_size", "seed"):
        assert f"(short: --{short})" in text
