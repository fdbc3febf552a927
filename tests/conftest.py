"""One thread, one hypothesis profile, every device there is, and small learners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from properties import double_precision, small_agent

from badger_graph import GuessingGame, MetaLearner, TaskFamily
from badger_graph.executors.native import library
from badger_graph.outer.sizes import Sizes

torch.set_num_threads(1)

settings.register_profile("badger_graph", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("badger_graph")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("native") and (missing := library.load()) is not None:
        pytest.skip(f"needs {missing}")


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.cuda,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ]
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device that the code must run on."""
    return torch.device(request.param)


@pytest.fixture
def double() -> Iterator[None]:
    """Everything in a test is float64."""
    with double_precision():
        yield


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., Trainer]:
    """Train a learner for some outer steps, quietly, with no files but those of callbacks."""

    def run(
        learner: MetaLearner,
        max_steps: int,
        *callbacks: Callback,
        ckpt_path: Path | str | None = None,
        **trainer_arguments: object,
    ) -> Trainer:
        arguments = {"num_sanity_val_steps": 0, "limit_val_batches": 0, **trainer_arguments}
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_steps=max_steps,
            max_epochs=-1,
            logger=False,
            enable_checkpointing=any("Checkpoint" in type(c).__name__ for c in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            check_val_every_n_epoch=None,
            callbacks=list(callbacks),
            default_root_dir=tmp_path,
            **arguments,
        )
        trainer.fit(learner, ckpt_path=ckpt_path)
        return trainer

    return run


@pytest.fixture
def tiny_learner() -> Callable[..., MetaLearner]:
    """Make a small learner; the same weights at every call, unless told another ``weights``."""

    def make(
        weights: int = 0,
        hidden_size: int = 8,
        task: TaskFamily = GuessingGame(),  # noqa: B008 - it has no state
        **arguments: object,
    ) -> MetaLearner:
        agent = small_agent(hidden_size=hidden_size, seed=weights)
        sizes = {"num_experts": 5, "num_outputs": 2, "num_steps": 4, "batch_size": 4}
        sizes |= {name: arguments.pop(name) for name in sizes if name in arguments}
        return MetaLearner(agent, task, sizes=Sizes(**sizes), **{"val_batches": 2, **arguments})

    return make
