"""evaluate.py: the numbers are those of the agent, on the tasks and sizes that were asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import refuse, succeed

from badger_graph import load_learner, unroll
from badger_graph.baselines import SOLVERS
from badger_graph.cli import evaluate_main, fit_main
from badger_graph.evaluation import DRAWN_ROLLOUTS, evaluate

TASKS = 12


@pytest.fixture(scope="module")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train an agent for a moment, once for each set of options."""
    made: dict[tuple[str, ...], Path] = {}

    def make(*options: str) -> Path:
        if options not in made:
            folder = tmp_path_factory.mktemp("trained")
            short = ["--config", "smoke", "--max_steps", "10", "--evaluate", "false"]
            succeed(fit_main, *short, *options, cwd=folder)
            made[options] = folder / "runs/0/checkpoints/last.ckpt"
        return made[options]

    return make


@pytest.fixture
def checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint()


def unrolled(checkpoint: Path, seed: int, **sizes: int) -> torch.Tensor:
    learner = load_learner(checkpoint)
    asked = replace(learner.sizes, **sizes)
    generator = torch.Generator().manual_seed(seed)
    task = learner.task.sample(TASKS, asked.num_outputs, generator)
    with torch.no_grad():
        loss = unroll(learner.agent, task, asked.num_experts, asked.num_steps, generator).loss
    return loss.double()


def run(checkpoint: Path, folder: Path, *arguments: object) -> dict[str, Any]:
    """``evaluate.py CHECKPOINT ...`` and what it wrote, read as strict JSON."""
    succeed(
        evaluate_main,
        *(checkpoint, "--num_tasks", TASKS, "--figures", "false", "--folder", folder, *arguments),
        cwd=checkpoint.parent,
    )
    return read(folder)


def read(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads((folder / "evaluation.json").read_text(), parse_constant=refuse)


# ------------------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize(
    "options",
    [(), ("--topology.redraw", "agent", "--birth.identifiers", "random")],
    ids=["fixed", "random"],
)
def test_errors_are_those_of_an_independent_rollout(
    make_checkpoint: Callable[..., Path], tmp_path: Path, options: tuple[str, ...]
) -> None:
    checkpoint = make_checkpoint(*options)
    result = run(checkpoint, tmp_path, "--seed", 5, "--baselines", "false")
    loss = unrolled(checkpoint, seed=5)
    assert result["errors"] == {"agent": loss.mean(dim=1).tolist()}
    error = loss.std(dim=1, correction=0) / TASKS**0.5
    np.testing.assert_allclose(result["standard_error"]["agent"], error)
    assert result["outer_steps"] == 10
    assert result["seed"] == 5
    assert result["chance"] == pytest.approx(1 / 3)


def test_other_sizes_and_graph(checkpoint: Path, tmp_path: Path) -> None:
    sizes = {"num_experts": 9, "num_outputs": 3, "num_steps": 5}
    flags = [part for name, size in sizes.items() for part in (f"--{name}", size)]
    topology = ["--topology", "random", "--topology.k", 4, "--topology.seed", 8]
    result = run(checkpoint, tmp_path, *flags, *topology, "--baselines", "false")
    assert {name: result[name] for name in sizes} == sizes
    assert result["topology"]["class_path"].endswith("RandomTopology")
    assert result["topology"]["init_args"]["k"] == 4
    assert result["topology"]["init_args"]["seed"] == 8
    assert len(result["errors"]["agent"]) == 5
    as_trained = unrolled(checkpoint, seed=1, **sizes).mean(dim=1).tolist()
    assert result["errors"]["agent"] != as_trained  # another graph


def test_figures_change_no_number(checkpoint: Path, tmp_path: Path) -> None:
    folders = {True: tmp_path / "drawn", False: tmp_path / "not"}
    for figures, folder in folders.items():
        result = evaluate(
            str(checkpoint), num_tasks=3, folder=str(folder), figures=figures, baselines=False
        )
        assert (folder / "rollouts.png").exists() == figures
        assert result == read(folder)
    assert read(folders[True]) == read(folders[False])


def test_lives_that_are_drawn_are_saved(checkpoint: Path, tmp_path: Path) -> None:
    evaluate(str(checkpoint), num_tasks=3, baselines=False, figures=False, folder=str(tmp_path))
    with np.load(tmp_path / "rollouts.npz") as saved:
        loss = np.square(saved["action"] - saved["target"]).mean(axis=-1)
        np.testing.assert_allclose(saved["loss"], loss, rtol=1e-5)
        assert saved["loss"].shape == (8, DRAWN_ROLLOUTS)
        assert all(np.isfinite(array).all() for array in saved.values())


# ------------------------------------------------------------------------------------- baselines


def test_baselines_live_through_the_same_tasks(checkpoint: Path, tmp_path: Path) -> None:
    result = run(checkpoint, tmp_path)
    assert result["errors"].keys() == {"agent", *(solver.name for solver in SOLVERS.values())}
    assert all(len(errors) == result["num_steps"] for errors in result["errors"].values())
    learner = load_learner(checkpoint)
    target = learner.task.sample(TASKS, 2, torch.Generator().manual_seed(1)).target
    zero = target.double().square().mean().item()
    assert result["errors"][SOLVERS["always_zero"].name] == pytest.approx([zero] * 8)
    exact = result["errors"][SOLVERS["exact"].name]
    assert exact[0] == pytest.approx(zero)
    assert max(exact[2:]) < 1e-10  # d + 1 queries


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (("--task.bins", "4"), "exact"),
        (("--task.error", "l1"), "exact"),
        (("--num_outputs", "1"), None),
    ],
)
def test_baselines_that_cannot_play_are_left_out(
    make_checkpoint: Callable[..., Path],
    tmp_path: Path,
    options: tuple[str, ...],
    missing: str | None,
) -> None:
    checkpoint = make_checkpoint(*options)
    result = evaluate(str(checkpoint), num_tasks=2, figures=False, folder=str(tmp_path))
    expected = {solver.name for name, solver in SOLVERS.items() if name != missing}
    assert result["errors"].keys() == {"agent", *expected}
    assert read(tmp_path) == result


# -------------------------------------------------------------------------- tasks without target


@pytest.mark.parametrize("config", ["tables", "regression", "bandits"])
def test_without_a_target_there_are_errors_of_every_step(config: str, tmp_path: Path) -> None:
    few = ["--max_steps", "1", "--batch_size", "16", "--evaluate", "false"]
    succeed(fit_main, "--config", config, *few, cwd=tmp_path)
    checkpoint = tmp_path / "runs/0/checkpoints/last.ckpt"
    told = succeed(
        evaluate_main, checkpoint, "--num_tasks", 16, "--folder", tmp_path / "out", cwd=tmp_path
    )
    result = read(tmp_path / "out")
    task = load_learner(checkpoint).task.sample(
        16, result["num_outputs"], torch.Generator().manual_seed(1)
    )
    assert result["num_tasks"] == task.batch_size
    assert result["num_steps"] == task.num_steps
    assert result["errors"].keys() == {"agent"}
    errors = result["errors"]["agent"]
    assert len(errors) == len(result["standard_error"]["agent"]) == task.num_steps
    assert np.isfinite(errors).all()
    assert "at each step of a life" in " ".join(told.out.split())
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["error_over_steps.png", "evaluation.json"]


# ---------------------------------------------------------------------------------------- places


def test_where_it_writes(checkpoint: Path, tmp_path: Path) -> None:
    few = {"num_tasks": 2, "baselines": False, "figures": False}
    run_folder = tmp_path / "run"
    (run_folder / "checkpoints").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    in_run = shutil.copy(checkpoint, run_folder / "checkpoints" / "best.ckpt")
    elsewhere = shutil.copy(checkpoint, tmp_path / "elsewhere" / "mine.ckpt")
    evaluate(str(in_run), **few)
    evaluate(str(elsewhere), **few)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("evaluation.json"))
    assert found == ["elsewhere/evaluation/evaluation.json", "run/evaluation/evaluation.json"]


def test_refused_before_anything_is_written(checkpoint: Path, tmp_path: Path) -> None:
    """As all that is in ``bad_inputs/command_line.yaml`` is, with sizes that do not fit."""
    folder = tmp_path / "out"
    told = ["--num_outputs", 7, "--folder", folder]
    refused = refuse(evaluate_main, checkpoint, *told, cwd=tmp_path)
    assert "got num_outputs=7 and num_experts=6" in refused
    assert not folder.exists()


def test_errors_that_are_no_numbers(checkpoint: Path, tmp_path: Path) -> None:
    bad = torch.load(checkpoint, weights_only=True)
    bad["state_dict"]["agent.policy.readout.bias"].fill_(1e38)
    torch.save(bad, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match="the errors of an agent must be finite"):
        evaluate(str(tmp_path / "bad.ckpt"), num_tasks=2, folder=str(tmp_path))
    assert not (tmp_path / "evaluation.json").exists()
