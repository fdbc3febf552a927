"""Two processes on the CPU (gloo), from the command line; needs no network but the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import FIT, load, refuse, succeed
from properties import rollout_of
from torch import Tensor

from badger_graph import MetaLearner, OneMoreOutput, load_learner
from badger_graph.cli import fit_main
from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.stream import TRAINING, task_seed, validation_seeds

STEPS, RATE = 3, 0.05

SMALL = [
    *("--config", "smoke", "--batch_size", "8", "--num_steps", "5", "--model.val_batches", "4"),
    *("--optimizer", "SGD", "--trainer.gradient_clip_val", "null"),
    *("--trainer.val_check_interval", str(STEPS), "--max_steps", str(STEPS)),
]

DISTRIBUTED = [
    *("--devices", "2", "--trainer.accelerator", "cpu", "--trainer.strategy", "ddp"),
    *("--trainer.log_every_n_steps", "1"),
]


def train(folder: Path, *more: str) -> str:
    """Let two processes train an agent in a folder; what they print."""
    arguments = [*SMALL, "--optimizer.lr", str(RATE), *DISTRIBUTED]
    done = subprocess.run(
        [sys.executable, FIT, *arguments, *more],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which two processes trained an agent, and what they printed."""
    folder = tmp_path_factory.mktemp("distributed")
    return folder, train(folder)


@pytest.fixture
def untrained(tmp_path: Path) -> MetaLearner:
    """With the weights that the processes began with: one process that learns nothing."""
    arguments = [*SMALL, "--optimizer.lr", "0", "--evaluate", "false", "--run_dir", "before"]
    succeed(fit_main, *arguments, cwd=tmp_path)
    return load_learner(tmp_path / "before/checkpoints/last.ckpt")


def losses(learner: MetaLearner, step: int, lesson: Lesson | None = None) -> list[Tensor]:
    """The errors that each of the two processes sees in an outer step."""
    seeds = [task_seed(0, TRAINING, rank, step) for rank in (0, 1)]
    return [learner.objective.unroll(seed, lesson).loss for seed in seeds]


def descend(learner: MetaLearner, both: list[Tensor]) -> None:
    """One process on the joined batch: an outer step, by plain gradient descent."""
    optimizer = torch.optim.SGD(learner.parameters(), lr=RATE)
    optimizer.zero_grad()
    learner.meta_loss(rollout_of(torch.cat(both, dim=1))).backward()
    optimizer.step()


def test_gradients_are_those_of_one_process_on_the_joined_batch(
    trained: tuple[Path, str], untrained: MetaLearner
) -> None:
    """Which also shows that the processes live through different tasks: those of their rank."""
    learner = untrained
    for step in range(STEPS):
        descend(learner, losses(learner, step))

    saved = load(trained[0] / "runs/0/checkpoints/last.ckpt")
    assert saved["global_step"] == STEPS
    torch.testing.assert_close(saved["state_dict"], learner.state_dict(), rtol=1e-5, atol=1e-7)
    with torch.no_grad():
        errors = [learner.objective.unroll(seed).loss[-1].mean() for seed in validation_seeds(0, 4)]
    best = saved["callbacks"]["EarlyStopping{'monitor': 'val/error', 'mode': 'min'}"]["best_score"]
    assert best.item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-5)


def test_processes_take_the_same_lessons(tmp_path: Path, untrained: MetaLearner) -> None:
    """One more output by their mean error, where each by itself would decide otherwise."""
    learner, chance = untrained, untrained.task.chance
    first = losses(learner, 0, OneMoreOutput().lesson(0, 0))
    small, large = sorted(loss[-1].mean().item() for loss in first)
    mean = (small + large) / 2
    assert small < 0.9 * mean
    threshold = 0.95 * mean / chance  # the better one would go on at once
    options = {"last": 4, "frontier_share": 1.0, "threshold": threshold, "window": 1}
    curriculum = OneMoreOutput(**options)
    stages = []
    for step in range(STEPS):
        both = losses(learner, step, curriculum.lesson(0, step))
        descend(learner, both)
        curriculum.learn(torch.cat(both, dim=1)[-1].mean().item(), chance)
        stages.append(curriculum.stage)
    assert stages[0] == 0 < stages[-1]

    flags = [flag for name, value in options.items() for flag in (f"--curriculum.{name}", value)]
    alone = ["--evaluate", "false", "--run_dir", "run"]
    train(tmp_path, "--curriculum", "one_more_output", *map(str, flags), *alone)
    saved = load(tmp_path / "run/checkpoints/last.ckpt")
    assert saved["badger_graph_curriculum"]["stage"] == curriculum.stage
    torch.testing.assert_close(saved["state_dict"], learner.state_dict(), rtol=1e-5, atol=1e-7)


def test_one_folder_one_evaluation(trained: tuple[Path, str]) -> None:
    folder, printed = trained
    assert [path.name for path in folder.iterdir()] == ["runs"]
    assert [path.name for path in (folder / "runs").iterdir()] == ["0"]
    assert printed.count("run folder: runs/0") == 1
    assert printed.count("error after each number of queries") == 1
    assert printed.count(f"outer step {STEPS}:") == 1
    rows = (folder / "runs/0/logs/version_0/metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + STEPS + 1  # a header, a row for each step, a validation


@pytest.mark.parametrize("val_batches", [1, 3])
def test_validation_batches_are_dealt_out_evenly(tmp_path: Path, val_batches: int) -> None:
    """Said before any process is started, so none waits for another."""
    arguments = [*SMALL, *DISTRIBUTED, "--model.val_batches", val_batches]
    refused = refuse(fit_main, *arguments, cwd=tmp_path)
    assert "must be a multiple of the number of processes" in refused
    assert f"got val_batches={val_batches} for 2 processes" in refused
    assert not list(tmp_path.iterdir())
