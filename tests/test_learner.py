"""The outer loop: what it minimises, that it repeats itself, that it stops in time, and learns."""

from __future__ import annotations

import math
import typing
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from properties import Fit, Make, assert_gradients_reach_every_parameter, small_agent, weights

from badger_graph import (
    AttentionMembrane,
    AttentionPolicy,
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    LastStep,
    LSTMPolicy,
    MetaLearner,
    WholeMembrane,
    load_agent,
    unroll,
)
from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.finite import MAX_UNREAD, FiniteWatch, NonFiniteLossError
from badger_graph.outer.gradients import Backpropagation
from badger_graph.outer.losses import META_LOSSES
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.outer.sizes import Sizes
from badger_graph.outer.stream import TaskStream, validation_seeds
from topologies import CompleteTopology

# ------------------------------------------------------------------------------ an outer step


@pytest.mark.parametrize(
    ("policy", "membrane", "num_experts"),
    [(AttentionPolicy, AttentionMembrane, 5), (LSTMPolicy, WholeMembrane, 1)],
)
def test_nobody_is_trained_without_hearing_of_errors(
    policy: type, membrane: type, num_experts: int
) -> None:
    task, sizes = GuessingGame(feedback="per_output"), Sizes(num_experts, num_outputs=4)
    agent = BadgerAgent(task.interface, policy, CompleteTopology(), membrane)
    MetaLearner(agent, GuessingGame(), sizes=sizes)
    message = f"experts must hear the feedback, .* {membrane.__name__} .* feedback='per_output'"
    with pytest.raises(ValueError, match=message):
        MetaLearner(agent, task, sizes=sizes)


@pytest.mark.parametrize("detach_every", [None, 2])
def test_outer_steps_by_hand(tiny_learner: Make, fit: Fit, detach_every: int | None) -> None:
    """Seeds of the stream, rollouts, meta-loss, Adam: the same without Lightning, bit for bit."""
    trained, by_hand = (
        tiny_learner(seed=3, gradient=Backpropagation(detach_every)) for _ in range(2)
    )
    fit(trained, 3)

    optimizer = by_hand.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["lr"] == 3e-3
    for seed, _ in zip(TaskStream(3), range(3), strict=False):
        generator = torch.Generator().manual_seed(seed)
        task = by_hand.task.sample(4, 2, generator)
        loss = unroll(by_hand.agent, task, 5, 4, generator, detach_every).loss
        optimizer.zero_grad()
        loss[2:].mean().backward()  # the mean over the last half
        optimizer.step()
    assert torch.equal(weights(trained), weights(by_hand))


@pytest.mark.parametrize("name", META_LOSSES)
def test_gradients_reach_every_parameter(tiny_learner: Make, name: str) -> None:
    learner = tiny_learner(meta_loss=META_LOSSES[name]())
    assert_gradients_reach_every_parameter(learner.meta_loss(learner.objective.unroll(0)), learner)


def test_validation_is_the_mean_error_of_the_last_step(tiny_learner: Make, fit: Fit) -> None:
    learner = tiny_learner(val_batches=3, seed=7)
    trainer = fit(learner, 1, limit_val_batches=1.0)
    (measured,) = trainer.validate(learner, verbose=False)
    with torch.no_grad():
        last = [
            learner.objective.unroll(seed).loss[-1].mean().item() for seed in validation_seeds(7, 3)
        ]
    assert measured["val/error"] == pytest.approx(sum(last) / 3, rel=1e-6)
    (again,) = trainer.validate(learner, verbose=False)
    assert again == measured


def test_what_is_logged_is_what_happened(tiny_learner: Make, fit: Fit) -> None:
    learner, twin = tiny_learner(), tiny_learner()
    logged = fit(learner, 1, log_every_n_steps=1).callback_metrics
    loss = twin.objective.unroll(next(iter(TaskStream(0)))).loss
    assert logged["train/error"].item() == pytest.approx(loss[-1].mean().item())
    assert logged["train/meta_loss"].item() == pytest.approx(loss[2:].mean().item())


@pytest.mark.parametrize("algorithm", ["norm", "value", None])
@pytest.mark.parametrize("limit", [1e-3, 1e9])
def test_gradients_are_clipped_and_logged_as_they_were(
    tiny_learner: Make, fit: Fit, algorithm: str | None, limit: float
) -> None:
    def make() -> MetaLearner:
        return tiny_learner(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0))

    learner, twin = make(), make()
    loss = twin.objective(next(iter(TaskStream(0)))).meta_loss
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*twin.parameters()])])
    clip = {"gradient_clip_val": limit, "gradient_clip_algorithm": algorithm}
    logged = fit(learner, 1, log_every_n_steps=1, **clip).callback_metrics["train/gradient_norm"]
    if algorithm == "value":
        expected = gradient.clamp(-limit, limit)
    else:
        expected = gradient * min(1.0, limit / gradient.norm().item())
    # Equal but for the last bits of weights of about one.
    torch.testing.assert_close(weights(twin) - weights(learner), expected, rtol=1e-3, atol=1e-6)
    assert logged.item() == pytest.approx(gradient.norm().item(), rel=1e-5)


@pytest.mark.parametrize("factor", [0.9, 1.1, math.nan, math.inf])
def test_outer_steps_of_too_long_gradients_are_passed_over(
    tiny_learner: Make, fit: Fit, factor: float
) -> None:
    """Nothing moves, and nothing is said to diverge."""

    class Longer(Backpropagation):
        largest_norm = 1.0

        def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
            outcome = super().__call__(objective, seed, lesson)
            parts = torch.autograd.grad(outcome.meta_loss, objective.weights, retain_graph=True)
            norm = torch.cat([part.flatten() for part in parts]).norm().item()
            stretched = outcome.meta_loss.clone()
            stretched.register_hook(lambda gradient: factor / norm * gradient)
            return Outcome(stretched, outcome.loss)

    learner = tiny_learner(
        gradient=Longer(), optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0)
    )
    before = weights(learner).clone()
    logged = fit(learner, 1, log_every_n_steps=1, gradient_clip_val=10.0).callback_metrics
    moved = (weights(learner) - before).norm().item()
    assert moved == pytest.approx(0.9 if factor == 0.9 else 0.0, abs=1e-4)
    assert logged["train/gradient_norm"].item() == pytest.approx(moved, abs=1e-4)


def test_a_rollout_on_every_device(tiny_learner: Make, device: torch.device) -> None:
    learner = tiny_learner().to(device)
    assert learner.objective.unroll(0).loss.device.type == device.type
    agent = learner.agent  # on that device already
    MetaLearner(agent, GuessingGame(), sizes=Sizes(5, 2))


# --------------------------------------------------------------------------------------- seeds


def test_the_same_seed_trains_the_same_weights(tiny_learner: Make, fit: Fit) -> None:
    first, again, other_tasks, other_weights = (
        tiny_learner(),
        tiny_learner(),
        tiny_learner(seed=1),
        tiny_learner(weights=1),
    )
    for learner in (first, again, other_tasks, other_weights):
        # No draw of a run may come from the global generator, whatever its state.
        torch.seed()
        fit(learner, 3)
    assert torch.equal(weights(again), weights(first))
    assert not torch.allclose(weights(other_tasks), weights(first))
    assert not torch.allclose(weights(other_weights), weights(first))


def test_making_a_learner_changes_nothing_but_makes_it(tiny_learner: Make) -> None:
    agent = tiny_learner().agent
    before = [parameter.clone() for parameter in agent.parameters()]
    state = torch.get_rng_state()
    MetaLearner(agent, GuessingGame(), sizes=Sizes(5, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(agent.parameters(), before, strict=True))
    assert all(parameter.grad is None for parameter in agent.parameters())


# ----------------------------------------------------------------------------------- stopping


@pytest.fixture(params=["at once", "late"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """When numbers are read: at once, as on a CPU, or only when they must be, as on a GPU."""
    if request.param == "late":

        def see(watch: FiniteWatch, name: str, value: torch.Tensor, step: int) -> None:
            watch._unread.append((name, step, value.detach()))

        monkeypatch.setattr(FiniteWatch, "see", see)
    return request.param


class Poison(Callback):
    """Makes one weight not a number where this hook is called in the given outer step."""

    def __init__(self, step: int, moment: str) -> None:
        self.step = step
        setattr(self, moment, self.poison)

    def poison(self, trainer: Trainer, module: LightningModule, *_: object) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(module.parameters()).view(-1)[0] = torch.nan


def keep(folder: Path, **arguments: typing.Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, filename="best", save_last=True, **arguments)


@pytest.mark.parametrize("step", [0, 2])
def test_a_loss_that_is_no_number_stops_the_run(
    tiny_learner: Make, fit: Fit, tmp_path: Path, asked: str, step: int
) -> None:
    learner, twin = tiny_learner(), tiny_learner()
    message = f"the meta-loss must be finite, got nan at outer step {step}; a smaller"
    poison = Poison(step, "on_train_batch_start")
    with pytest.raises(NonFiniteLossError, match=message):
        fit(learner, 5, poison, keep(tmp_path, every_n_train_steps=1))
    saved = tmp_path / "last.ckpt"
    assert saved.exists() == (step > 0)
    if step > 0:
        fit(twin, step)
        assert torch.equal(weights(load_agent(saved)), weights(twin))


def test_a_run_that_explodes_stops(tiny_learner: Make, fit: Fit, asked: str) -> None:
    learner = tiny_learner(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e30))
    message = r"must be finite, got (inf|nan) at outer step 1; a smaller learning rate"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(learner, 5)


def test_a_gradient_that_is_no_number_stops_the_run_before_the_step(
    tiny_learner: Make, fit: Fit
) -> None:
    """Also where the gradient is clipped, which would spread it over all weights."""
    learner = tiny_learner()
    before = weights(learner)
    next(learner.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    message = "the gradient must be finite, got (inf|nan) at outer step 0"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(learner, 5, gradient_clip_val=1.0)
    assert torch.equal(weights(learner), before)


@pytest.mark.parametrize("saving", [True, False])
def test_bad_weights_are_not_saved_by_a_validation(
    tiny_learner: Make, fit: Fit, tmp_path: Path, asked: str, saving: bool
) -> None:
    """A validation comes before the next training step: it must not replace the last good file."""
    callbacks = [Poison(4, "on_validation_start"), keep(tmp_path, monitor="val/error")]
    validate = {"val_check_interval": 2, "limit_val_batches": 2}
    message = "the validation error must be finite, got nan at outer step 4"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(tiny_learner(), 9, *callbacks[: 1 + saving], **validate)
    assert len(list(tmp_path.glob("*.ckpt"))) == 2 * saving
    for file in tmp_path.glob("*.ckpt"):
        assert weights(load_agent(file)).isfinite().all()


def test_bad_weights_are_not_saved_though_nothing_else_is_bad(
    tiny_learner: Make, fit: Fit, tmp_path: Path, asked: str
) -> None:
    message = "the norm of the weights must be finite, got nan at outer step 3"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(
            tiny_learner(),
            5,
            Poison(3, "on_train_batch_end"),
            keep(tmp_path, every_n_train_steps=1),
        )
    assert torch.load(tmp_path / "last.ckpt")["global_step"] == 2
    assert weights(load_agent(tmp_path / "last.ckpt")).isfinite().all()


class OnGPU(torch.Tensor):
    """Says that it is on a GPU."""

    @property
    def device(self) -> torch.device:
        return torch.device("cuda")


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_numbers_on_a_gpu_are_read_together(bad: float) -> None:
    """The first that is none is named, whenever it is read; what was read is forgotten."""
    watch = FiniteWatch()
    for step in range(MAX_UNREAD):
        watch.see("loss", torch.tensor(0.5).as_subclass(OnGPU), step)
    watch.see("loss", torch.tensor(bad).as_subclass(OnGPU), 7)
    for step in range(8, 6 + MAX_UNREAD):
        watch.see("gradient", torch.tensor(torch.nan).as_subclass(OnGPU), step)
    with pytest.raises(NonFiniteLossError, match=f"the loss must be finite, got {bad} at .* 7;"):
        watch.see("loss", torch.tensor(0.5).as_subclass(OnGPU), 99)
    watch.read()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_no_outer_step_waits_for_the_gpu(tiny_learner: Make) -> None:
    watch, meta_loss = FiniteWatch(), tiny_learner().meta_loss
    loss = torch.rand(4, 3, device="cuda", requires_grad=True)
    meta_loss(loss)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(MAX_UNREAD - 1):
            watch.see("meta-loss", meta_loss(loss), step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    watch.read()


# ------------------------------------------------------------------------------------ learning


def test_training_teaches_to_guess_a_number(fit: Fit) -> None:
    """Two experts, one number, six guesses: an easy game, so chance is soon far behind."""
    family, policy = GuessingGame(), partial(GRUPolicy, message_size=8)
    agent = small_agent(CompleteTopology(), policy, identifier_size=4, hidden_size=16)
    learner = MetaLearner(agent, family, LastStep(), sizes=Sizes(2, 1, 6, 32))

    @torch.no_grad()
    def error() -> float:
        losses = [learner.objective.unroll(seed).loss[-1] for seed in validation_seeds(1, 8)]
        return torch.stack(losses).mean().item()

    assert error() > 0.8 * family.chance
    fit(learner, 200, gradient_clip_val=1.0)
    assert error() < 0.1 * family.chance
