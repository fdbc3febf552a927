"""One thread, one hypothesis profile, every device there is, and small learners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from properties import double_precision

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, MetaLearner
from badger_graph.executors.native import library
from badger_graph.outer.sizes import Sizes
from topologies import RandomTopology

torch.set_num_threads(1)

settings.register_profile("badger_graph", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("badger_graph")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "native: needs a C++ compiler; skipped visibly where there is none"
    )


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

    def make(weights: int = 0, hidden_size: int = 8, **arguments: object) -> MetaLearner:
        torch.manual_seed(weights)
        agent = BadgerAgent(
            GuessingGame.interface,
            partial(GRUPolicy, message_size=4),
            RandomTopology(k=2),
            identifier_size=3,
            hidden_size=hidden_size,
        )
        sizes = {"num_experts": 5, "num_outputs": 2, "num_steps": 4, "batch_size": 4}
        sizes |= {name: arguments.pop(name) for name in sizes if name in arguments}
        arguments = {"val_batches": 2, **arguments}
        return MetaLearner(agent, GuessingGame(), sizes=Sizes(**sizes), **arguments)

    return make
