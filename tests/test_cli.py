"""What a user types: understood, or refused on one screen before anything happens."""

from __future__ import annotations

import csv
import importlib
import os
import re
import shlex
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import call, load, refuse, succeed
from properties import Intruder

from badger_graph import load_learner
from badger_graph.arguments import (
    COMPONENTS,
    CONFIGS,
    MOVED,
    SHORT,
    expand,
    overview,
    resolve_files,
)
from badger_graph.cli import (
    DIVERGED,
    choose_run_dir,
    evaluate_main,
    fit_main,
    new_run_dir,
    plain,
    remove_if_empty,
)
from badger_graph.outer.config import to_config
from badger_graph.outer.gradients import Backpropagation, Captured
from badger_graph.outer.stream import TRAINING, task_seed

SMOKE = ["--config", "smoke", "--evaluate", "false"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("run")
    succeed(fit_main, *SMOKE, "--run_dir", "run", cwd=folder)
    return folder / "run"


def settings(*arguments: object, cwd: Path) -> dict[str, Any]:
    return yaml.safe_load(succeed(fit_main, *arguments, "--print_config", cwd=cwd).out)


# ---------------------------------------------------------------------------- defaults of a class


@pytest.mark.parametrize(
    ("typed", "hidden_size", "identifier_size"),
    [
        ("--policy gru", 32, 12),
        ("--policy attention", 64, 16),
        ("--policy=attention --num_experts 5", 64, 16),
        ("--membrane attention --policy attention", 64, 16),
        ("--policy attention --hidden_size 6", 6, 16),
        ("--hidden_size 6 --policy attention", 6, 16),
        ("--config twenty --policy gru", 48, 12),
        ("--config paper --policy attention", 64, 16),
        ("--config paper --policy gru", 32, 12),
    ],
)
def test_a_class_starts_from_its_own_defaults(
    typed: str, hidden_size: int, identifier_size: int, tmp_path: Path
) -> None:
    """Not from those that fit.yaml gives another; but presets and other flags count."""
    agent = settings(*typed.split(), cwd=tmp_path)["model"]["agent"]
    assert (agent["hidden_size"], agent["identifier_size"]) == (hidden_size, identifier_size)


SOAP, ADAM = "pytorch_optimizer.SOAP", "torch.optim.Adam"


@pytest.mark.parametrize(
    ("typed", "lr", "betas", "weight_decay"),
    [
        (f"--optimizer {SOAP}", 0.003, [0.95, 0.95], 0.01),  # the rate of fit.yaml
        (f"--optimizer={SOAP} --optimizer.lr 0.1", 0.1, [0.95, 0.95], 0.01),
        (f"--optimizer {SOAP} --optimizer.weight_decay 0.5", 0.003, [0.95, 0.95], 0.5),
        (f"--optimizer.betas=[0.5,0.6] --optimizer {SOAP}", 0.003, [0.5, 0.6], 0.01),
        ("--config recurrent", 0.003, [0.9, 0.999], 0.0),
        (f"--config recurrent --optimizer {SOAP}", 0.003, [0.9, 0.999], 0.0),
        (f"--config soap.yaml --optimizer {ADAM}", 0.003, [0.9, 0.999], 0.0),
        (f"--optimizer {ADAM}", 0.003, [0.9, 0.999], 0.0),
    ],
)
def test_an_optimizer_starts_from_its_own_defaults(
    typed: str, lr: float, betas: list[float], weight_decay: float, tmp_path: Path
) -> None:
    """Not from those of Adam; but for the learning rate, presets and other flags."""
    told = {"class_path": SOAP, "init_args": {"betas": [0.7, 0.8], "weight_decay": 0.1}}
    (tmp_path / "soap.yaml").write_text(yaml.safe_dump({"model": {"optimizer": told}}))
    found = settings(*typed.split(), cwd=tmp_path)["model"]["optimizer"]["init_args"]
    assert [found["lr"], found["betas"], found["weight_decay"]] == [lr, betas, weight_decay]


# ------------------------------------------------------------------------------------ short flags

RANDOM, RING = "topologies.random.RandomTopology", "topologies.hardwired.RingTopology"


@pytest.mark.parametrize(
    ("typed", "long", "short"),
    [
        ("", "", ""),
        ("--topology ring", f"--model.agent.topology {RING}", f"--topology {RING}"),
        ("--topology=ring", f"--model.agent.topology={RING}", f"--topology={RING}"),
        (
            "--topology random --topology.k 3",
            f"--model.agent.topology {RANDOM} --model.agent.topology.k 3",
            f"--topology {RANDOM} --topology.k 3",
        ),
        ("--topology.k=3", "--model.agent.topology.k=3", "--topology.k=3"),
        ("--topology.kwargs.k 4", "--model.agent.topology.kwargs.k 4", "--topology.kwargs.k 4"),
        (
            "--topology my.own.Graph",
            "--model.agent.topology my.own.Graph",
            "--topology my.own.Graph",
        ),
        ("--seed 3", "--seed_everything 3", "--seed 3"),
        ("--seed=3", "--seed_everything=3", "--seed=3"),
        ("--devices 2", "--trainer.devices 2", "--devices 2"),
        ("--optimizer.lr 0.1", "--model.optimizer.lr 0.1", "--optimizer.lr 0.1"),
        ("--meta_loss.fraction=1", "--model.meta_loss.fraction=1", "--meta_loss.fraction=1"),
        ("--rounds 2", "--model.agent.communication.init_args.rounds 2", "--rounds 2"),
        ("--birth.codebooks=2", "--model.agent.birth.codebooks=2", "--birth.codebooks=2"),
        ("--trainer.max_time x --seeds 3 -c y", *["--trainer.max_time x --seeds 3 -c y"] * 2),
        # A value that looks like a name is no name.
        ("--run_dir topology", "--run_dir topology", "--run_dir topology"),
    ],
)
def test_expand(typed: str, long: str, short: str) -> None:
    assert expand(typed.split()) == long.split()
    assert expand(typed.split(), long=False) == short.split()
    # The processes that DDP starts expand what is expanded already.
    assert expand(long.split()) == long.split()


def test_expand_keeps_values_whole() -> None:
    value = "{k: 4, p: 0.1,\n text: a=b}"
    assert expand([f"--topology.kwargs={value}"]) == [f"--model.agent.topology.kwargs={value}"]
    assert expand(["--topology.kwargs", value])[1] == value


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_name_is_found_again(component: str) -> None:
    for name, made in COMPONENTS[component][1].items():
        module, _, attribute = (
            expand([f"--{component}={name}"])[0].partition("=")[2].rpartition(".")
        )
        assert getattr(importlib.import_module(module), attribute) is made


def test_short_flags_set_what_they_say(tmp_path: Path) -> None:
    parts = ("optimizer", "birth")
    values = {name: str(place + 5) for place, name in enumerate(SHORT) if name not in parts}
    flags = [part for name, value in values.items() for part in (f"--{name}", value)]
    config = settings(*flags, "--optimizer", "SGD", "--num_outputs", 3, cwd=tmp_path)
    for name, value in {**values, "num_outputs": "3"}.items():
        found: Any = config
        for key in SHORT[name].split("."):
            found = found[key]
        assert str(found) == value, name
    assert config["model"]["optimizer"]["class_path"] == "torch.optim.SGD"


def test_arguments_of_a_networkx_generator_one_by_one(tmp_path: Path) -> None:
    flags = ["--topology", "networkx", "--topology.generator", "watts_strogatz_graph"]
    one_by_one = settings(
        *flags, "--topology.kwargs.k", 4, "--topology.kwargs.p", 0.1, cwd=tmp_path
    )
    at_once = settings(*flags, "--topology.kwargs", "{k: 4, p: 0.1}", cwd=tmp_path)
    assert one_by_one == at_once
    assert at_once["model"]["agent"]["topology"]["init_args"]["kwargs"] == {"k": 4, "p": 0.1}


# ------------------------------------------------------------------------- presets and other files


@pytest.mark.parametrize("preset", ["figure6", "figure6.yaml"])
def test_what_is_printed_can_be_read_again(tmp_path: Path, preset: str) -> None:
    if preset == "figure6.yaml":  # a file of the user's comes before a preset
        (tmp_path / preset).write_text("model: {sizes: {num_outputs: 2}}\n")
    printed = settings("--config", preset, cwd=tmp_path)
    assert printed["model"]["sizes"]["num_outputs"] == (3 if preset == "figure6" else 2)
    (tmp_path / "printed.yaml").write_text(yaml.safe_dump(printed))
    assert settings("--config", "printed.yaml", cwd=tmp_path) == printed
    assert not (tmp_path / "runs").exists()


def test_flags_come_on_top_of_presets_and_those_on_top_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: {sizes: {num_steps: 7, num_outputs: 1}}\n")
    config = settings("--config", "smoke", "--config=mine.yaml", "--num_outputs=3", cwd=tmp_path)
    sizes = [config["model"]["sizes"][f"num_{name}"] for name in ("experts", "steps", "outputs")]
    assert sizes == [6, 7, 3]


def test_resolve_files_of_a_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    resolved = resolve_files(["--ckpt_path", "last", "--run_dir", "run", "--seed", "0"])
    flags = ["--ckpt_path", "run/checkpoints/last.ckpt", "--run_dir", "run", "--seed", "0"]
    assert resolved[1:] == flags
    assert resolved[0].startswith("--config=# settings of the run that goes on\n")
    given, expected = (
        yaml.safe_load(text)
        for text in (resolved[0].partition("=")[2], (run / "config.yaml").read_text())
    )
    given["trainer"].pop("default_root_dir")  # where it is found, whatever it says
    assert given["trainer"].items() < expected["trainer"].items()
    assert given["model"] == expected["model"]
    assert resolve_files(["--run_dir=run", "--ckpt_path=last"])[1:] == [
        "--run_dir=run",
        "--ckpt_path=run/checkpoints/last.ckpt",
    ]


def test_last_is_the_newest_of_all_runs(run: Path, tmp_path: Path) -> None:
    content = (run / "checkpoints" / "last.ckpt").read_bytes()
    for number, age in (("0", 300), ("1", 100), ("2", 200)):
        path = tmp_path / "runs" / number / "checkpoints" / "last.ckpt"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        os.utime(path, (10**9 - age, 10**9 - age))
    config = settings("--config=smoke", "--ckpt_path=last", cwd=tmp_path)
    assert config["ckpt_path"] == "runs/1/checkpoints/last.ckpt"


# -------------------------------------------------------------------------------------------- help


def test_short_help(tmp_path: Path) -> None:
    for flags in (["-h"], ["--help"], ["--topology", "ring", "--help"]):
        assert succeed(fit_main, *flags, cwd=tmp_path).out.strip() == overview().strip()
    assert len(overview().splitlines()) < 45
    for _, table in COMPONENTS.values():
        assert all(name in overview() for name in table)
    assert all(f"--{name} " in overview() for name in SHORT)
    assert all(path.stem in overview() for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_full_help(tmp_path: Path, command: str) -> None:
    told = succeed(fit_main, command, "--help", cwd=tmp_path).out
    assert "--model.sizes.num_experts" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("component", COMPONENTS)
def test_help_on_components(tmp_path: Path, component: str) -> None:
    table = COMPONENTS[component][1]
    listed = succeed(fit_main, f"--{component}.help", cwd=tmp_path).out
    assert re.findall(r"^  (\w+) ", listed, re.MULTILINE) == list(table)
    for name, made in table.items():
        out = call(fit_main, f"--{component}.help", name, cwd=tmp_path).out
        assert out == call(fit_main, f"--{component}.help={name}", cwd=tmp_path).out
        assert str(made.__doc__).splitlines()[0] in out
    refuse(fit_main, f"--{component}.help", "nothing", cwd=tmp_path)


def test_help_on_the_arguments_of_a_component(tmp_path: Path) -> None:
    out = call(fit_main, "--topology.help", "networkx", cwd=tmp_path).out
    assert "  --topology.generator (str, required)\n" in out
    assert "  --topology.seed (int, by default 0)\n" in out


# ------------------------------------------------------------------------------------- wrong input

GRAPHS = {
    "malformed.graphml": "<graphml",
    "small.edgelist": "0 1\n1 2\n2 0\n",
}

WRONG = {
    "--topology rnadom": r"--topology must be one of random, .*'rnadom'; did you mean 'random'\?",
    "--policy foo": "--policy must be one of annealed_fast_weights, attention, .*got 'foo'",
    "--task=foo": "--task must be one of guessing, .*got 'foo'",
    "--meta_loss last": "--meta_loss must be one of last_step, .*did you mean 'last_step'",
    "--topology": "--model.agent.topology: expected one argument",
    "--topology --num_steps 3": "--topology must be one of .*got '--num_steps'",
    "--topology os.system": "does not correspond to a subclass of Topology .*: os.system",
    "--policy os.system": "'os.system' to be a function that returns <class 'ExpertPolicy'>",
    "--topology no.such.Graph": "no.such.Graph",
    "--topology random --topology.k 16": "k must be less than .*got k=16 and 16 experts",
    "--topology random --topology.kk 3": "'kk' is not accepted",
    "--num_outputs 17": "num_outputs=17 and num_experts=16",
    "--num_experts 3": "got k=4 and 3 experts|num_outputs=4 and num_experts=3",
    "--topology file --topology.path missing.graphml": "must exist, got 'missing.graphml'",
    "--topology file --topology.path malformed.graphml": "well-formed, got 'malformed.graphml'",
    "--topology file --topology.path small.edgelist": "got 3 nodes and 16 experts",
    "--policy.percept_size 3": "as the membrane says it, got --policy.percept_size",
    "--policy.hidden_size 8": "in its form of today, --hidden_size, got --policy.hidden_size",
    "--membrane.readers [20]": r"got readers=\[20\]",
    "--optimizer Foo": "Foo",
    "--optimizer.lr -1": "lr must not be negative, got -1",
    "--devices 0": "devices must be at least 1, or -1 for all, got 0",
    "--trainer.strategy foo": "strategy='foo'",
    "--frobnicate 3": "unrecognized arguments: --frobnicate 3",
    "fitt": "unrecognized arguments: fitt",
    "--config nope": "--config must be a file or one of addressed, bandits, binding, .*got 'nope'",
    "--config malformed.graphml": "malformed.graphml|<graphml",
    "--ckpt_path last": "--ckpt_path last needs a run to resume, got none in runs",
    "--ckpt_path last --run_dir x": "got none in x",
    "--ckpt_path missing.ckpt": "must be a file, got 'missing.ckpt'",
    "--ckpt_path small.edgelist": "'small.edgelist'",
}


@pytest.mark.parametrize("typed", WRONG)
def test_wrong_input(tmp_path: Path, typed: str) -> None:
    for name, content in GRAPHS.items():
        (tmp_path / name).write_text(content)
    result = call(fit_main, *typed.split(), cwd=tmp_path)
    assert result.code == 2, result.err
    assert re.search(WRONG[typed], result.err.replace("\n", " ")), result.err
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) <= 10
    assert result.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(GRAPHS)


@pytest.mark.parametrize("name", MOVED)
def test_settings_that_have_moved(tmp_path: Path, name: str) -> None:
    """The old name is answered by the new form, which there is."""
    for typed in (f"--{name} 3", f"--{name}=3", f"--{name}.weight 3"):
        refused = refuse(fit_main, *typed.split(), cwd=tmp_path)
        assert f"--{name} must be given in its form of today, {MOVED[name]}, got" in refused
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"model": {name.partition(".")[2]: None}}))
    refused = refuse(fit_main, "--config", "mine.yaml", cwd=tmp_path)
    assert f"got old ones in 'mine.yaml': {name} by {MOVED[name]}\n" in refused


NEW_FORMS = {
    "--gradient.detach_every 3": Backpropagation(detach_every=3),
    "--gradient.checkpoint_every 4": Backpropagation(checkpoint_every=4),
    "--gradient captured --gradient.detach_every 2": Captured(2),
}


@pytest.mark.parametrize("typed", NEW_FORMS)
def test_new_forms(tmp_path: Path, typed: str) -> None:
    config = settings(*typed.split(), cwd=tmp_path)
    assert config["model"]["gradient"] == to_config(NEW_FORMS[typed])


def test_new_forms_of_regulariser_and_aggregator(tmp_path: Path) -> None:
    pytest.importorskip("torchjd.aggregation")
    typed = shlex.split(f"{MOVED['model.regulariser']} {MOVED['model.aggregator']}")
    model = settings(*typed, "torchjd.aggregation.UPGrad", cwd=tmp_path)["model"]
    names = [
        part["class_path"].rpartition(".")[2] for part in model["meta_loss"]["init_args"]["of"]
    ]
    assert names == ["MeanOverEnd", "Alikeness"]
    aggregator = model["gradient"]["init_args"]["aggregator"]
    assert aggregator["class_path"] == "torchjd.aggregation.UPGrad"


def test_every_line_of_an_error_says_something() -> None:
    message = """Does not validate against any of the Union subtypes
Subtypes: [<class 'MetaLoss'>, <class 'NoneType'>]
Errors:
  - discount must be in (0, 1], got 2.0
  - Expected a <class 'NoneType'>
Given value type: <class 'jsonargparse._namespace.Namespace'>
Given value: Namespace(class_path='badger_graph.outer.losses.converge_fast.ConvergeFast')"""
    assert plain(message) == "discount must be in (0, 1], got 2.0"
    assert plain("k must be 1,\n got 2") == "k must be 1,\n  got 2"


# ----------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_bad_checkpoint(tmp_path: Path, run: Path, command: str) -> None:
    """Of all that ``test_checkpoint.py`` damages, the worst."""
    content = load(run / "checkpoints" / "last.ckpt")
    torch.save({**content, "code": Intruder(tmp_path / "was_run")}, tmp_path / "bad.ckpt")
    typed = (command, "--config=smoke", "--ckpt_path=bad.ckpt")
    assert "no pickled code" in refuse(fit_main, *typed, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ckpt"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--hidden_size", 8], "agent.hidden_size was 32 .* is 8 now"),
        (["--policy.gain", 2], "agent.policy.gain was 1.0 .* is 2.0 now"),
        (["--topology", "ring"], "agent.topology was .*RandomTopology.* is .*RingTopology"),
        (["--topology.k", 3], "agent.topology.k was 2 .* is 3 now"),
        (["--rounds", 2], "agent.communication.rounds was 1 .* is 2 now"),
        (["--membrane.readers", "one"], "agent.membrane.readers was all .* is one now"),
        (["--birth.identifiers", "random"], "agent.birth.identifiers was fixed .* is random now"),
        (["--task.bins", 4], "task.bins was None .* is 4 now"),
        (["--meta_loss", "last_step"], "meta_loss was .*MeanOverEnd.* is .*LastStep"),
        (["--num_steps", 9], "num_steps was 8 .* is 9 now"),
        (["--seed", 1], "agent.birth.seed was 0 .* is 1 now"),
        (["--gradient.detach_every", 2], "gradient.detach_every was None .* is 2 now"),
        (["--optimizer.lr", 0.1], r"optimizer's lr was 0.003 .* is 0.1 now"),
        (["--optimizer", "SGD"], "optimizer's .* was .* is .* now"),
    ],
)
def test_resumed_as_another(run: Path, flags: list[object], message: str) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused = refuse(fit_main, "--ckpt_path=last", "--run_dir=run", *flags, cwd=run.parent)
    assert "a run must be resumed as it was started, but " in refused
    assert re.search(message, refused), refused
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_training_begins_with_the_weights_of_another(run: Path, tmp_path: Path) -> None:
    """All of them, though its seed is another; a step later they have moved by the rate."""
    last, rate = run / "checkpoints" / "last.ckpt", 1e-6
    flags = ["--initial_policy", last, "--seed", 5, "--max_steps", 1, "--optimizer.lr", rate]
    succeed(fit_main, *SMOKE, *flags, "--run_dir", "on", cwd=tmp_path)
    after = load(tmp_path / "on" / "checkpoints" / "last.ckpt")["state_dict"]
    for name, before in load(last)["state_dict"].items():
        if name.startswith("agent.policy"):
            torch.testing.assert_close(after[name], before, rtol=0, atol=2 * rate)
    refused = refuse(fit_main, *SMOKE, "--initial_policy", "recurrent-0", cwd=tmp_path)
    assert "initial_policy must have the weights of this agent, but the policy of" in refused
    assert not (tmp_path / "runs").exists()
    refused = refuse(fit_main, *SMOKE, "--initial_policy", "micro_badgre", cwd=tmp_path)
    assert "got 'micro_badgre'" in refused


def test_a_checkpoint_cannot_change_the_settings(tmp_path: Path, run: Path) -> None:
    """Lightning takes settings from a checkpoint's hyper-parameters, code to call among them."""
    checkpoint = load(run / "checkpoints" / "last.ckpt")
    checkpoint["hyper_parameters"] = {"num_steps": 3, "no_such": 1}
    torch.save(checkpoint, tmp_path / "changed.ckpt")
    flags = ["--ckpt_path", "changed.ckpt", "--max_steps", 22]
    succeed(fit_main, *SMOKE, *flags, cwd=tmp_path)
    config = yaml.safe_load((tmp_path / "runs" / "0" / "config.yaml").read_text())
    assert config["model"]["sizes"]["num_steps"] == 8


# ------------------------------------------------------------------------------------------- runs


def test_a_run_and_its_files(run: Path) -> None:
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    expected = {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml"}
    assert names >= expected | {"logs/version_0/metrics.csv"}
    assert load(run / "checkpoints" / "last.ckpt")["global_step"] == 20


def test_log_says_what_happened_at_its_step(tmp_path: Path) -> None:
    """With weights that stay: the error of step s is that of the rollout of step s."""
    still = ["--optimizer", "SGD", "--optimizer.lr", 0, "--run_dir", "run"]
    succeed(fit_main, *SMOKE, *still, cwd=tmp_path)
    learner = load_learner(tmp_path / "run" / "checkpoints" / "last.ckpt")
    rows = csv.DictReader((tmp_path / "run/logs/version_0/metrics.csv").open())
    errors = {int(row["step"]): float(row["train/error"]) for row in rows if row["train/error"]}
    assert sorted(errors) == [9, 19]
    for step, error in errors.items():
        loss = learner.objective.unroll(task_seed(0, TRAINING, 0, step)).loss
        assert error == pytest.approx(loss[-1].mean().item(), rel=1e-6)


def test_a_run_is_not_written_over(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused = refuse(fit_main, *SMOKE, "--run_dir", "run", cwd=run.parent)
    assert "--run_dir must name a new folder, or go on with its run" in refused
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_validate(run: Path) -> None:
    before = sorted(run.rglob("*"))
    validated = succeed(fit_main, "validate", "--ckpt_path=last", "--run_dir=run", cwd=run.parent)
    assert "val/error" in validated.out
    assert sorted(run.rglob("*")) == before
    assert not (run.parent / "runs").exists()


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    """Stops, says where, and keeps what came before."""
    steep = ["--optimizer", "SGD", "--optimizer.lr", "1e4", "--trainer.gradient_clip_val", "null"]
    result = call(fit_main, *SMOKE, *steep, "--trainer.val_check_interval", 1, cwd=tmp_path)
    assert result.code == DIVERGED
    assert re.fullmatch(
        r"error: the [a-z -]+ must be finite, got (inf|nan) at outer step \d+; .*\n", result.err
    )
    step = int(re.findall(r"outer step (\d+)", result.err)[0])
    saved = load(tmp_path / "runs" / "0" / "checkpoints" / "last.ckpt")
    assert 0 < saved["global_step"] <= step
    assert all(weight.isfinite().all() for weight in saved["state_dict"].values())
    assert result.err.endswith("runs/0/checkpoints/last.ckpt holds the weights from before\n")
    at_once = call(fit_main, *SMOKE, *steep, "--optimizer.lr", "1e30", cwd=tmp_path)
    assert at_once.code == DIVERGED
    assert at_once.err.endswith("; no checkpoint was written before\n")


def test_new_runs_get_new_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "7").mkdir(parents=True)
    (tmp_path / "runs" / "mine").mkdir()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(new_run_dir())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"runs/{number}" for number in range(8, 28))
    remove_if_empty(Path("runs/8"))
    assert not Path("runs/8").exists()
    assert Path("runs/9").exists()


def test_where_a_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LOCAL_RANK", "BADGER_GRAPH_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert choose_run_dir("mine", "runs/3/checkpoints/last.ckpt") == "mine"
    assert choose_run_dir(None, "runs/3/checkpoints/last.ckpt") == str(tmp_path / "runs" / "3")
    # A checkpoint from elsewhere: nothing is written around it.
    assert choose_run_dir(None, "downloads/some.ckpt") == "runs/0"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_run_dir(None, None) == "runs/0"  # that of the first process
    monkeypatch.delenv("BADGER_GRAPH_RUN_DIR")
    with pytest.raises(ValueError, match="started by a launcher needs --run_dir, got none"):
        choose_run_dir(None, None)


def test_own_components_are_imported_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_lab.py").write_text(
        "from topologies import RingTopology\n\n\nclass MyRing(RingTopology):\n    pass\n"
    )
    arguments = [*SMOKE, "--topology", "my_lab.MyRing", "--run_dir", "run"]
    succeed(fit_main, *arguments, cwd=tmp_path)
    checkpoint = "run/checkpoints/last.ckpt"
    monkeypatch.delitem(sys.modules, "my_lab")
    refused = refuse(evaluate_main, checkpoint, *QUICK, cwd=tmp_path)
    assert "my_lab.MyRing" in refused
    assert "--import MODULE" in refused
    succeed(evaluate_main, checkpoint, *QUICK, "--import", "my_lab", cwd=tmp_path)
    unknown = refuse(fit_main, "--import=no_lab", cwd=tmp_path)
    assert "--import must name a module that can be imported, got 'no_lab'" in unknown


QUICK = ["--num_tasks", "2", "--baselines", "false", "--figures", "false"]
