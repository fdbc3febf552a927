"""What is shown while something long is done."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from badger_graph import MetaLearner
from badger_graph.callbacks.progress import OuterLoopBar
from badger_graph.progress import track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("error", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_a_bar_is_for_a_terminal_and_results_are_not_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: io.StringIO
) -> None:
    monkeypatch.setattr(sys, "stderr", error)
    for outer in track(iter("ab"), "measuring", 2):
        for inner in track([0, 1], "within"):
            print(outer, inner)
    assert capsys.readouterr().out == "a 0\na 1\nb 0\nb 1\n"
    assert ("measuring" in error.getvalue()) == error.isatty()
    assert "within" not in error.getvalue()


def test_a_bar_that_was_left_makes_way_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyError):
        list(track(map({}.__getitem__, [0]), "first", 1))
    assert list(track([1, 2], "second")) == [1, 2]
    assert "second" in sys.stderr.getvalue()


def test_the_training_error_until_there_is_another(
    monkeypatch: pytest.MonkeyPatch,
    fit: Callable[..., Trainer],
    tiny_learner: Callable[..., MetaLearner],
) -> None:
    """Of the last rollout, but read at most once a second."""
    bar, clock, seen = OuterLoopBar(), [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    class Ask(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
            bar.on_train_start(trainer, pl_module)
            assert "no error yet" in bar._status(trainer, pl_module)

        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
            clock[0] += 0.6
            error = f"{float(pl_module.latest.mean()):.4g} (chance 0.333)"
            seen.append((error, bar._status(trainer, pl_module)))

        def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
            bar.on_validation_end(trainer, pl_module)

    fit(tiny_learner(), 3, Ask(), limit_val_batches=1.0, val_check_interval=2)
    (first, said), (second, later), (_, last) = seen
    assert first != second
    assert all(f"training error {first}" in status for status in (said, later))
    assert f" error {bar._error} (chance" in last
    assert "training" not in last
