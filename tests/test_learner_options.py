"""What the outer loop may do besides minimising the meta-loss: regularise, aggregate, anneal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command_line import load, refuse, succeed
from properties import Fit, Make, Mean, assert_refused, uniform, weights
from torch import nn

from badger_graph import MetaLearner, load_learner
from badger_graph.analysis.gradients import jacobian, output_losses
from badger_graph.cli import fit_main
from badger_graph.library.load import read_checkpoint
from badger_graph.library.resume import require_same_run
from badger_graph.outer.config import CONFIG_KEY
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.gradients import Backpropagation, JacobianDescent
from badger_graph.outer.gradients.jacobian import one_gradient
from badger_graph.outer.losses import Alikeness, LogError, MeanOverEnd, Sum


class Nothing(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return 0 * rows[0]


def assert_trained_alike(fit: Fit, one: MetaLearner, other: MetaLearner, steps: int) -> None:
    for learner in (one, other):
        fit(learner, steps)
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-3, atol=1e-5)


# -------------------------------------------------------------------------------- alikeness


def test_alikeness_by_hand(tiny_learner: Make) -> None:
    """Two experts at a right angle and a third opposite to the first: cosines 0, 0 and -1."""
    rollout = tiny_learner().objective.unroll(0)

    def alikeness(weight: float, states: torch.Tensor) -> float:
        life = SimpleNamespace(hidden=states, batch_size=1)
        return Alikeness(weight)(rollout._replace(life=life)).item()

    states = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    assert alikeness(1.0, states) == pytest.approx(-1 / 3)
    assert alikeness(0.2, torch.ones(3, 4)) == pytest.approx(0.2)
    assert alikeness(0.2, torch.ones(1, 4)) == pytest.approx(0)


def test_it_is_added_and_makes_experts_less_alike(tiny_learner: Make, fit: Fit) -> None:
    alike = {}
    for weight in (0.0, 10.0):
        learner = tiny_learner(meta_loss=Sum([MeanOverEnd(), Alikeness(weight)]))
        fit(learner, 30)
        alike[weight] = Alikeness(1.0)(learner.objective.unroll(5)).item()
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
    plain, aggregated = tiny_learner(), tiny_learner(gradient=JacobianDescent(Mean()))
    rollout = plain.objective.unroll(3)
    losses = output_losses(rollout, plain.task, plain.meta_loss)
    torch.testing.assert_close(losses.mean(), plain.meta_loss(rollout))
    assert_trained_alike(fit, aggregated, plain, 4)


def test_gradient_surgery_of_torchjd(tiny_learner: Make, fit: Fit) -> None:
    """No output's loss rises along the gradient that UPGrad makes."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    learner = tiny_learner(meta_loss=LogError())
    parameters = list(learner.parameters())
    rows = jacobian(
        output_losses(learner.objective.unroll(1), learner.task, learner.meta_loss), parameters
    )
    assert (rows @ aggregation.UPGrad()(rows) > -1e-6).all()
    before = weights(learner)
    surgical = tiny_learner(gradient=JacobianDescent(aggregation.UPGrad()))
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
    plain, surgical = tiny_learner(), tiny_learner(gradient=JacobianDescent(aggregator))
    monkeypatch.setattr(
        "badger_graph.outer.gradients.jacobian.output_losses",
        lambda rollout, _, meta_loss: meta_loss(rollout).expand(3),
    )
    assert_trained_alike(fit, surgical, plain, 2)


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
    learner = tiny_learner(gradient=JacobianDescent(aggregation.MGDA(epsilon=0.5)))
    file = tmp_path / "trained.ckpt"
    fit(learner, 1).save_checkpoint(file)
    said = read_checkpoint(file)[CONFIG_KEY]["gradient"]["init_args"]["aggregator"]
    assert said == "torchjd.aggregation._mgda.MGDA(epsilon=0.5, max_iters=100)"
    assert isinstance(load_learner(file).gradient, Backpropagation)
    require_same_run(file, learner)
    other = tiny_learner(gradient=JacobianDescent(aggregation.MGDA()))
    message = r"gradient\.aggregator was .*torchjd.*0\.5"
    assert_refused(message, lambda: require_same_run(file, other))
    function = tiny_learner(
        gradient=JacobianDescent(aggregation.GradDrop())
    )  # has an address in its repr
    assert "0x" not in str(function.config()["gradient"])


def test_what_an_aggregator_cannot_do(tiny_learner: Make, fit: Fit) -> None:
    assert_refused(
        "direction of 2 equal gradients, but Nothing makes 0 of ones",
        lambda: tiny_learner(gradient=JacobianDescent(Nothing())),
    )
    learner = tiny_learner(gradient=JacobianDescent(Mean()))
    assert_refused(
        "accumulate_grad_batches must be 1", lambda: fit(learner, 2, accumulate_grad_batches=2)
    )
    two = SimpleNamespace(world_size=2, accumulate_grad_batches=1)
    assert_refused("an aggregator needs one process, got 2", lambda: learner.gradient.begin(two))


def test_outputs_may_be_regularised_too(tiny_learner: Make, fit: Fit) -> None:
    """Their gradients then each have that of the regulariser, and so has the mean of them."""
    meta_loss = Sum([MeanOverEnd(), Alikeness(1.0)])
    plain = tiny_learner(meta_loss=meta_loss)
    aggregated = tiny_learner(meta_loss=meta_loss, gradient=JacobianDescent(Mean()))
    assert_trained_alike(fit, aggregated, plain, 4)


def test_no_aggregator_sees_what_is_no_number(tiny_learner: Make, fit: Fit) -> None:
    learner = tiny_learner(gradient=JacobianDescent(Mean()))
    with torch.no_grad():
        next(learner.parameters()).fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match="the meta-loss must be finite, got nan"):
        fit(learner, 1)


# ------------------------------------------------------------------------------------ anneal


def test_a_buffer_falls_with_every_outer_step(tmp_path: Path) -> None:
    smoke = ["--config", "smoke", "--policy", "chaotic", "--evaluate", "false", "--max_steps", 7]
    smoke += ["--trainer.callbacks+", "badger_graph.callbacks.annealing.Annealing"]
    smoke += ["--trainer.callbacks.factor", 0.9, "--trainer.callbacks.buffer"]
    succeed(fit_main, *smoke, "policy.chaos", "--run_dir", "run", cwd=tmp_path)
    saved = load(tmp_path / "run/checkpoints/last.ckpt")
    assert saved["state_dict"]["agent.policy.chaos"].item() == pytest.approx(3 * 0.9**7)
    wrong = refuse(fit_main, *smoke, "policy.heat", "--run_dir", "other", cwd=tmp_path)
    assert "one of policy.chaos, membrane._reads, got 'policy.heat'" in wrong
