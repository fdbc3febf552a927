"""What the outer loop may do besides minimising the meta-loss: regularise, aggregate, anneal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import call
from lightning import Trainer
from properties import assert_refused, uniform
from torch import nn

from badger_graph import MetaLearner, load_learner
from badger_graph.analysis.gradients import jacobian
from badger_graph.callbacks import Annealing
from badger_graph.cli import fit_main
from badger_graph.library.load import read_checkpoint
from badger_graph.library.resume import require_same_agent
from badger_graph.outer.config import CONFIG_KEY
from badger_graph.outer.losses import LogError
from badger_graph.outer.regularisers import Alikeness
from badger_graph.outer.surgery import one_gradient

Make = Callable[..., MetaLearner]
Fit = Callable[..., Trainer]


class Mean(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.mean(dim=0)


class Nothing(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return 0 * rows[0]


def weights(learner: MetaLearner) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(learner.parameters()).detach().clone()


# -------------------------------------------------------------------------------- alikeness


def test_alikeness_by_hand(tiny_learner: Make) -> None:
    """Two experts at a right angle and a third opposite to the first: cosines 0, 0 and -1."""
    rollout = tiny_learner().rollout(0)
    rollout.graph._num_graphs = 1
    rollout.graph.hidden = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    assert Alikeness(1.0)(rollout).item() == pytest.approx(-1 / 3)
    rollout.graph.hidden = torch.ones(3, 4)
    assert Alikeness(0.2)(rollout).item() == pytest.approx(0.2)
    rollout.graph.hidden = torch.ones(1, 4)
    assert Alikeness(0.2)(rollout).item() == pytest.approx(0)
    assert_refused("weight must not be negative, got -1", lambda: Alikeness(-1))


def test_it_is_added_and_makes_experts_less_alike(tiny_learner: Make, fit: Fit) -> None:
    alike = {}
    for weight in (0.0, 10.0):
        learner = tiny_learner(regulariser=Alikeness(weight))
        fit(learner, 30)
        alike[weight] = Alikeness(1.0)(learner.rollout(5)).item()
    assert alike[10.0] < alike[0.0] - 0.2


# ------------------------------------------------------------------------------- aggregators


def test_jacobian_by_hand() -> None:
    x, y = (uniform(k, 3).requires_grad_() for k in range(2))
    losses = torch.stack([(x * y).sum(), x.square().sum()])
    rows = jacobian(losses, [x, y])
    torch.testing.assert_close(rows[0], torch.cat([y, x]))
    torch.testing.assert_close(rows[1], torch.cat([2 * x, torch.zeros_like(y)]))


def test_the_mean_of_the_outputs_gradients_is_that_of_the_meta_loss(
    tiny_learner: Make, fit: Fit
) -> None:
    plain, aggregated = tiny_learner(), tiny_learner(aggregator=Mean())
    rollout = plain.rollout(3)
    torch.testing.assert_close(plain.output_losses(rollout).mean(), plain.meta_loss(rollout.loss))
    fit(plain, 4)
    fit(aggregated, 4)
    torch.testing.assert_close(weights(aggregated), weights(plain), rtol=1e-3, atol=1e-5)


def test_gradient_surgery_of_torchjd(tiny_learner: Make, fit: Fit) -> None:
    """No output's loss rises along the gradient that UPGrad makes."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    learner = tiny_learner(meta_loss=LogError())
    parameters = list(learner.parameters())
    rows = jacobian(learner.output_losses(learner.rollout(1)), parameters)
    assert (rows @ aggregation.UPGrad()(rows) > -1e-6).all()
    before = weights(learner)
    surgical = tiny_learner(aggregator=aggregation.UPGrad())
    fit(surgical, 2)
    assert not torch.equal(weights(surgical), before)


@pytest.mark.parametrize("name", ["Mean", "Sum", "UPGrad", "PCGrad", "MGDA", "GradVac"])
def test_every_aggregator_keeps_equal_gradients(
    name: str, tiny_learner: Make, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outer step with three outputs alike is the plain one, whether sums are made or means."""
    aggregator = getattr(pytest.importorskip("torchjd.aggregation"), name)()
    gradient = uniform(0, 9)
    made = one_gradient(aggregator, gradient.expand(5, 9))
    torch.testing.assert_close(made, gradient, rtol=1e-4, atol=1e-6)
    plain, surgical = tiny_learner(), tiny_learner(aggregator=aggregator)
    monkeypatch.setattr(surgical, "output_losses", lambda r: surgical.meta_loss(r.loss).expand(3))
    fit(plain, 2)
    fit(surgical, 2)
    torch.testing.assert_close(weights(surgical), weights(plain), rtol=1e-3, atol=1e-5)


def test_gradients_in_conflict_by_hand() -> None:
    """PCGrad takes from each what is against the other, and adds them up: here half of it."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    rows = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    before = torch.get_rng_state()
    made = one_gradient(aggregation.Mean(), rows)
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(made, rows.mean(dim=0))
    made = one_gradient(aggregation.PCGrad(), rows)
    torch.testing.assert_close(made, torch.tensor([0.5 + 0.0, 0.5 + 1.0]) / 2)


def test_a_checkpoint_says_its_aggregator(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    """And is loaded without it; but a run does not go on with another."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    learner = tiny_learner(aggregator=aggregation.MGDA(epsilon=0.5))
    file = tmp_path / "trained.ckpt"
    fit(learner, 1).save_checkpoint(file)
    said = read_checkpoint(file)[CONFIG_KEY]["aggregator"]
    assert said == "torchjd.aggregation._mgda.MGDA(epsilon=0.5, max_iters=100)"
    assert load_learner(file).aggregator is None
    require_same_agent(file, learner)
    other = tiny_learner(aggregator=aggregation.MGDA())
    assert_refused("aggregator was torchjd.*0.5", lambda: require_same_agent(file, other))
    function = tiny_learner(aggregator=aggregation.GradDrop())  # has an address in its repr
    assert "0x" not in function.config()["aggregator"]


def test_what_an_aggregator_cannot_do(tiny_learner: Make, fit: Fit) -> None:
    assert_refused(
        "regulariser must be none, got Alikeness",
        lambda: tiny_learner(aggregator=Mean(), regulariser=Alikeness()),
    )
    assert_refused(
        "direction of 2 equal gradients, but Nothing makes 0 of ones",
        lambda: tiny_learner(aggregator=Nothing()),
    )
    learner = tiny_learner(aggregator=Mean())
    assert_refused(
        "accumulate_grad_batches must be 1", lambda: fit(learner, 2, accumulate_grad_batches=2)
    )
    assert_refused("an aggregator needs one process, got 2", lambda: learner.check_processes(2))


# ------------------------------------------------------------------------------------ anneal


def test_a_buffer_falls_with_every_outer_step(tmp_path: Path) -> None:
    smoke = ["--config", "smoke", "--policy", "chaotic", "--evaluate", "false", "--run_dir", "run"]
    smoke += ["--trainer.callbacks+", "badger_graph.callbacks.annealing.Annealing"]
    smoke += ["--trainer.callbacks.buffer", "policy.chaos", "--trainer.callbacks.factor", "0.9"]
    done = call(fit_main, *smoke, "--max_steps", "7", cwd=tmp_path)
    assert done.code == 0, done.err
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert saved["state_dict"]["agent.policy.chaos"].item() == pytest.approx(3 * 0.9**7)
    wrong = call(
        fit_main,
        *smoke[:-4],
        "--run_dir",
        "other",
        "--trainer.callbacks.buffer",
        "policy.heat",
        "--max_steps",
        "7",
        cwd=tmp_path,
    )
    assert wrong.code == 2
    assert "one of policy.chaos" in wrong.err
    assert_refused(r"factor must be in \[0, 1\], got 2", lambda: Annealing("policy.chaos", 2))
