"""The settings of somebody else's run can name no code but what the project knows."""

from __future__ import annotations

import copy
import os
import re
import sys
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_inputs.files import FAST
from command_line import Result, call, succeed

from badger_graph.arguments import modules_named, reach_own_code
from badger_graph.cli import SHAPE, evaluate_main, fit_main
from badger_graph.runs import own_settings
from badger_graph.trust import require_trusted

LOGGER = "lightning.pytorch.loggers.CSVLogger"

STRANGER = """
open({mark!r}, "w").close()
import lightning, badger_graph, topologies
class Bar(lightning.Callback): pass
class Ring(topologies.RingTopology): pass
class Policy(badger_graph.GRUPolicy): pass
def f(*args, **kwargs): return Bar()
"""

SYSTEM = "touch exploded"


def put(place: str, value: Any) -> Callable[[dict], None]:
    """A change of one setting, named by its keys with dots between them."""

    def change(settings: dict) -> None:
        *keys, last = place.split(".")
        reduce(getitem, keys, settings)[last] = value

    return change


def flat(key: str, value: Any) -> Callable[[dict], None]:
    """Another setting whose name itself has dots."""
    return lambda settings: settings.update({key: value})


def callback(value: Any) -> Callable[[dict], None]:
    return lambda settings: settings["trainer"]["callbacks"].append(value)


def named(class_path: str, /, **init_args: object) -> dict:
    """A component, as settings say it."""
    return {"class_path": class_path} | ({"init_args": init_args} if init_args else {})


BAR = "downloads.stranger.helper.Bar"
LAMBDA = "lightning.pytorch.callbacks.LambdaCallback"

ATTACKS = {
    "a class": callback(named(BAR)),
    "a plain string": callback(BAR),
    "callbacks as one string": put("trainer.callbacks", BAR),
    "callbacks as a mapping": put("trainer.callbacks", named(BAR)),
    "callbacks as a list of strings": put("trainer.callbacks", [BAR]),
    "YAML in a string": callback(f"class_path: {BAR}"),
    "JSON in a string": callback(f'{{"class_path": "{BAR}"}}'),
    "a list in a string": put("trainer.callbacks", f"[{{class_path: {BAR}}}]"),
    "a list of dashes in a string": put("trainer.callbacks", f"- class_path: {BAR}"),
    "another file": put("model.agent.topology", "evil.yaml"),
    "another file in a list": callback("evil.yaml"),
    "a file like a dotted name": put("model.agent.topology", "evil.config"),
    "a file of lines": put("trainer.callbacks", "lines.txt"),
    "a flat key": flat("trainer.callbacks", [named(BAR)]),
    "a longer flat key": flat("model.agent.topology.class_path", "stranger.Ring"),
    "an appended key": put("trainer.callbacks+", named(BAR)),
    "a second configuration": put("config", "evil.yaml"),
    "a second configuration inside": put("model.config", "evil.yaml"),
    "a component": put("model.agent.topology", named("stranger.Ring")),
    "a component by its name": put("model.agent.topology", "stranger.Ring"),
    "a policy": put("model.agent.policy.class_path", "stranger.Policy"),
    "an argument": put("model.agent.policy.init_args.hidden_size", named(BAR)),
    "free arguments": callback({"class_path": LAMBDA, "dict_kwargs": {"on_fit_start": BAR}}),
    "a callable of a stranger": callback(named(LAMBDA, on_fit_start="downloads.stranger.helper.f")),
    "a callable by a short name": callback(named("LambdaCallback", on_fit_start="stranger.f")),
    "a callable of the system": callback(named(LAMBDA, setup="os.system")),
    "a callable beside arguments": put("model.optimizer", "os.system"),
    "an optimizer that is a function": put("model.optimizer", named("os.system", command=SYSTEM)),
    "a function of torch": put(
        "model.optimizer", named("torch.utils.cpp_extension.load", name="x", sources=["x.cpp"])
    ),
    "a function that a module of ours imports": put(
        "model.optimizer", named("badger_graph.cli.os.system")
    ),
    "a class of another kind": put(
        "model.agent.topology", named("torch.utils.cpp_extension.BuildExtension")
    ),
    "a process": put("model.optimizer", named("subprocess.Popen", args="x")),
    "a logger": put("trainer.logger", named(BAR)),
    "a strategy": put("trainer.strategy", BAR),
    "a profiler": put("trainer.profiler", named(BAR)),
    "a plugin": put("trainer.plugins", [BAR]),
    "an aggregator": put("model.gradient.init_args", {"aggregator": named("stranger.f")}),
    "a gradient": put("model.gradient", named("stranger.f")),
    "a curriculum": put("model.curriculum", "stranger.Ring"),
    "an unknown section": put("stranger", named(BAR)),
}

RAW = {
    "a tag": "trainer: !!python/object/apply:os.system ['touch exploded']",
    "a name by a tag": "trainer: {callbacks: [!!python/name:stranger.Bar ]}",
    "too deep": "trainer: " + "[" * 500 + "]" * 500,
    "no mapping": "[]",
}
"""The rest of what is no plain data is in ``test_safe_yaml.py``."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in it."""
    folder = tmp_path_factory.mktemp("begun")
    succeed(fit_main, *FAST, "--run_dir", "run", cwd=folder)
    return folder


@pytest.fixture
def attacked(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stranger's modules leave a mark as soon as they are imported."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    module = STRANGER.format(mark=str(tmp_path / "exploded"))
    (tmp_path / "downloads" / "stranger").mkdir(parents=True)
    for name in ("downloads/stranger/helper.py", "stranger.py", "evil.py"):
        (tmp_path / name).write_text(module)
    evil = f"class_path: {BAR}\n"
    for name in ("evil.yaml", "evil.config"):
        (tmp_path / name).write_text(evil)
    (tmp_path / "lines.txt").write_text(f"{BAR}\n")
    (tmp_path / "run").symlink_to(begun / "run")
    return tmp_path


def resume(folder: Path, begun: Path, text: str, *typed: str) -> Result:
    """Go on with the run by these settings."""
    file = begun / "run" / "config.yaml"
    before = file.read_text()
    file.write_text(text)
    try:
        arguments = ["--ckpt_path", "run/checkpoints/last.ckpt", "--max_steps", "2", *typed]
        return call(fit_main, *arguments, cwd=folder)
    finally:
        file.write_text(before)


@pytest.mark.parametrize("attack", ATTACKS)
def test_settings_that_name_code(attacked: Path, begun: Path, attack: str) -> None:
    settings = yaml.safe_load((begun / "run" / "config.yaml").read_text())
    ATTACKS[attack](settings)
    result = resume(attacked, begun, yaml.safe_dump(settings))
    assert not list(attacked.rglob("exploded"))
    assert not {"stranger", "downloads", "evil"} & sys.modules.keys()
    if attack == "a second configuration":  # is not looked at
        assert result.code == 0, result.err
        return
    assert result.code == 2
    assert "must name only classes of badger_graph, topologies, torch, " in result.err
    assert "config.yaml" in result.err


@pytest.mark.parametrize("attack", RAW)
def test_settings_that_are_no_plain_data(attacked: Path, begun: Path, attack: str) -> None:
    result = resume(attacked, begun, RAW[attack])
    assert not list(attacked.rglob("exploded"))
    assert result.code == 2
    assert re.match(r"error: (YAML|a YAML alias|settings) .*must .*\n", result.err), result.err
    assert "config.yaml" in result.err


def test_what_the_user_vouches_for_is_taken(attacked: Path, begun: Path) -> None:
    """By --import, for all of a module, and the rest is refused as before."""
    settings = yaml.safe_load((begun / "run" / "config.yaml").read_text())
    own = copy.deepcopy(settings)
    own["trainer"]["callbacks"].append(named(BAR))
    refused = resume(attacked, begun, yaml.safe_dump(own), "--import", "stranger")
    assert refused.code == 2
    assert "--import downloads.stranger.helper allows it" in refused.err
    taken = resume(attacked, begun, yaml.safe_dump(own), "--import", "downloads.stranger.helper")
    assert taken.code == 0, taken.err
    for name in [name for name in sys.modules if name.split(".")[0] in ("downloads", "stranger")]:
        del sys.modules[name]


def aggregated_by(name: str) -> dict:
    return {"model": {"gradient": {"init_args": {"aggregator": named(name)}}}}


FROM_A_FILE = named("topologies.file.graph_file", path="evil.config")

KNOWN = [
    {"trainer": {"callbacks": [named("lightning.pytorch.callbacks.Timer")]}},
    {"trainer": {"logger": [{"class_path": LOGGER}]}},
    {"trainer": {"strategy": named("lightning.pytorch.strategies.DDPStrategy")}},
    {"trainer": {"profiler": "simple", "strategy": "ddp", "precision": "32-true"}},
    {"model": {"optimizer": named("pytorch_optimizer.SOAP")}},
    aggregated_by("torchjd.aggregation.UPGrad"),
    {"model": {"agent": {"topology": FROM_A_FILE}}},
    {"checkpoint": {"filename": "evil.yaml"}},
]


@pytest.mark.parametrize("settings", KNOWN, ids=str)
def test_what_the_project_knows_is_taken(
    attacked: Path, monkeypatch: pytest.MonkeyPatch, settings: dict
) -> None:
    """Also a name of a file where text is expected."""
    monkeypatch.chdir(attacked)
    require_trusted(settings, SHAPE, [], Path("config.yaml"))


def test_a_package_that_is_not_installed_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torchjd.py in the current folder is no TorchJD, whatever comes first in the path."""
    mark = tmp_path / "exploded"
    (tmp_path / "torchjd.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchjd"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ValueError, match="torchjd is not installed; --import torchjd allows it"):
        require_trusted(aggregated_by("torchjd.UPGrad"), SHAPE, [], Path("config.yaml"))
    assert not mark.exists()


def logging_in(folder: str) -> Callable[[dict], None]:
    return put("trainer.logger", named(LOGGER, save_dir=folder))


SAVING = named(
    "lightning.pytorch.callbacks.ModelCheckpoint", dirpath="another/checkpoints", monitor=None
)

WRITES = {
    "a logger": logging_in("/x"),
    "a logger inside": logging_in("run/a"),
    "its own": put("run_dir", "another"),
    "a checkpoint": put("checkpoint.dirpath", "another/checkpoints"),
    "the last one": put("last_checkpoint.dirpath", "/another"),
    "a callback": callback(SAVING),
}


@pytest.mark.parametrize("what", WRITES)
def test_a_run_writes_where_it_is_found(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(begun)
    settings = yaml.safe_load(Path("run/config.yaml").read_text())
    WRITES[what](settings)
    moved = tmp_path / "moved"
    (moved / "checkpoints").mkdir(parents=True)
    (moved / "config.yaml").write_text(yaml.safe_dump(settings))
    text = own_settings(moved / "checkpoints" / "last.ckpt", SHAPE, [])
    assert text is not None
    settings = yaml.safe_load(text)
    assert "run_dir" not in settings

    def folders(value: Any, key: str = "") -> list[str]:
        if isinstance(value, dict):
            return [one for name, item in value.items() for one in folders(item, name)]
        if isinstance(value, list):
            return [one for item in value for one in folders(item, key)]
        return [value] if key in ("dirpath", "save_dir", "default_root_dir") else []

    found = folders(settings)
    assert len(found) >= 4
    assert all(Path(folder).is_relative_to(moved) for folder in found), found
    if what == "a logger inside":
        assert str(moved / "a") in found


@pytest.mark.parametrize("name", ["../../x", "/x", "~/x", "a/../../x"])
def test_files_outside_of_a_run_are_refused(begun: Path, tmp_path: Path, name: str) -> None:
    settings = yaml.safe_load((begun / "run" / "config.yaml").read_text())
    settings["checkpoint"]["filename"] = name
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ValueError, match="keep its files in its own folder, got filename: "):
        own_settings(tmp_path / "last.ckpt", SHAPE, [])


def test_modules_of_the_current_folder_are_found_only_where_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    for name in ("torchjd.py", "cma.py", "my_lab.py"):
        (tmp_path / name).write_text("raise RuntimeError('imported')\n")
    for typed in (
        ["--ckpt_path", "last"],
        ["runs/0/checkpoints/best.ckpt", "--topology", "ring"],
        ["--topology.k", "4", "--trainer.val_check_interval=10"],
    ):
        reach_own_code(typed)
        assert os.getcwd() not in sys.path
    installed = sys.path[:]
    reach_own_code(["--topology", "my_lab.MyRing"])
    assert sys.path == [*installed, os.getcwd()]


def test_other_processes_of_a_run_know_what_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a distributed run starts, and nobody else."""
    for name in ("LOCAL_RANK", "BADGER_GRAPH_IMPORT"):
        monkeypatch.delenv(name, raising=False)
    assert modules_named(["--import", "my_lab", "--seed", "1", "--import=other.lab"]) == [
        "my_lab",
        "other.lab",
    ]
    with monkeypatch.context() as child:
        child.setenv("LOCAL_RANK", "1")
        assert modules_named(["--seed", "1"]) == ["my_lab", "other.lab"]
    assert modules_named(["--seed", "1"]) == []


def test_evaluation_reads_no_settings(attacked: Path, begun: Path) -> None:
    """Only the checkpoint, which holds no code and whose modules must be imported already."""
    succeed(
        evaluate_main,
        *("run/checkpoints/last.ckpt", "--num_tasks", "2", "--baselines", "false"),
        *("--figures", "false", "--folder", "out"),
        cwd=attacked,
    )
    assert not list(attacked.rglob("exploded"))
