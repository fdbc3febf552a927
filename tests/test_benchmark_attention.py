"""W2 compares like with like, with and without the authors' code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from command_line import ROOT

from benchmarks.attention_products import (
    AUTHORS,
    DENSE,
    MATERIALISED,
    AttentionalBadger,
    AttentionSizes,
    contestants,
)

TINY = AttentionSizes(2, 3, 2, num_steps=5, hidden_size=6, key_size=4, identifier_size=3)
GAME = TINY.task(dtype=torch.float64)


@pytest.fixture
def clone(tmp_path: Path) -> str:
    """A folder like a clone of the authors' repository, without any of its code."""
    shutil.copy(ROOT / "tests" / "authors_stand_in.py", tmp_path / "utils.py")
    return str(tmp_path)


def test_as_many_weights_as_published() -> None:
    for contestant in contestants(AttentionSizes(), None).values():
        assert sum(weight.numel() for weight in contestant.module.parameters()) == 80_977


def test_attention_is_the_same_however_computed() -> None:
    own = contestants(TINY, None, torch.float64)
    assert list(own) == [MATERIALISED, DENSE]
    expected_loss, expected = own[MATERIALISED].loss_and_gradient(GAME)
    loss, gradient = own[DENSE].loss_and_gradient(GAME)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert (gradient - expected).norm() <= 1e-9 * expected.norm()


def test_weights_and_gradients_are_those_of_the_authors(clone: str) -> None:
    found = contestants(TINY, clone, torch.float64)
    assert list(found) == [AUTHORS, MATERIALISED, DENSE]
    expected_loss, expected = found[AUTHORS].loss_and_gradient(GAME)
    loss, gradient = found[DENSE].loss_and_gradient(GAME)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert (gradient - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("name", [MATERIALISED, DENSE])
def test_outer_step_trains(name: str) -> None:
    contestant, game = contestants(TINY, None)[name], TINY.task()
    before = contestant.loss(game)
    for _ in range(60):
        contestant.outer_step()
    assert contestant.loss(game) < before


def test_outer_step_of_the_authors(clone: str) -> None:
    contestant = contestants(TINY, clone)[AUTHORS]
    before = [weight.clone() for weight in contestant.module.parameters()]
    contestant.outer_step()
    for old, new in zip(before, contestant.module.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_report(clone: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = AttentionalBadger(TINY, rounds=1, authors=clone).run()
    assert "skipped" not in capsys.readouterr().out
    assert list(report.data["rows"]) == [AUTHORS, MATERIALISED, DENSE]
    assert report.data["rows"][DENSE]["gradient_difference"] <= 1e-5
    assert report.markdown.startswith("B=2, N=3, H=6, keys of 4, identifiers of 3, 4+2 heads, d=2")
    assert report.markdown.count("\n| ") == 4


def test_the_authors_code_is_not_here(capsys: pytest.CaptureFixture[str]) -> None:
    report = AttentionalBadger(TINY, rounds=1).run()
    assert list(report.data["rows"]) == [MATERIALISED, DENSE]
    assert capsys.readouterr().out == (
        "skipped: the authors' code (--w2.authors takes a clone of GoodAI/badger-2019)\n"
    )


def test_not_a_clone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a clone of badger-2019 with utils.py, got"):
        AttentionalBadger(TINY, authors=str(tmp_path)).run()
    (tmp_path / "utils.py").write_text("")
    with pytest.raises(ValueError, match=r"must define MultitaskAgent, got .*utils.py"):
        AttentionalBadger(TINY, authors=str(tmp_path)).run()


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"num_steps must be at least 3, .* got 2"):
        AttentionSizes(num_steps=2)
    with pytest.raises(ValueError, match=r"key_size must be even, .* got 5"):
        AttentionSizes(key_size=5)
