"""The outer step as a CUDA graph. Without a GPU, what would be replayed is computed anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from properties import Fit, Nearest, assert_refused, small_agent, uniform, weights
from torch import Tensor

from badger_graph import (
    AttentionMembrane,
    AttentionPolicy,
    Birth,
    GuessingGame,
    MetaLearner,
)
from badger_graph.outer.gradients import Backpropagation, Captured, OuterGradient, captured, hand_on
from badger_graph.outer.gradients.captured import check_run, refill
from badger_graph.outer.losses import Alikeness, MeanOverEnd, Sum
from badger_graph.outer.objective import Outcome
from badger_graph.outer.sizes import Sizes
from badger_graph.outer.stream import TaskStream
from topologies import CompleteTopology, RandomTopology, Topology


def make(
    topology: Topology | None = None, gradient: OuterGradient | None = None, **arguments: Any
) -> MetaLearner:
    """A small learner; all of its draws differ from rollout to rollout, but for the graph."""
    birth = Birth("random", initial_state="random")
    agent = small_agent(topology, birth=birth, hidden_size=8)
    arguments = {"sizes": Sizes(5, 2, 4, 4), "val_batches": 2, **arguments}
    return MetaLearner(agent, GuessingGame(), gradient=gradient or Captured(), **arguments)


def step_of(learner: MetaLearner) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Its gradient by the seed alone."""
    return lambda seed: learner.gradient(learner.objective, seed, learner.objective.lesson)


def gradients(learner: MetaLearner, meta_loss: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(meta_loss, tuple(learner.parameters()))


def assert_same(
    learner: MetaLearner, outcome: Outcome, expected: Outcome, rtol: float = 0, atol: float = 0
) -> None:
    """The meta-loss, the errors, and the gradients."""
    both = ([*one, *gradients(learner, one.meta_loss)] for one in (outcome, expected))
    torch.testing.assert_close(*both, rtol=rtol, atol=atol)


@pytest.fixture
def replayed_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay writes to where the first result lies, as that of a CUDA graph."""

    def record(compute: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        result = compute()
        return result, lambda: refill(result, compute())

    monkeypatch.setattr(captured, "record", record)
    monkeypatch.setattr(captured, "check_run", lambda *_: None)


# ------------------------------------------------------------------------- what needs no GPU


@pytest.mark.usefixtures("replayed_on_cpu")
def test_replays_are_rollouts() -> None:
    """Also when an earlier result is used after a later replay."""
    learner = make(gradient=Captured(detach_every=3))
    step = step_of(learner)
    results = {seed: step(seed) for seed in (5, 6, 5)}
    for seed, (meta_loss, loss) in results.items():
        expected = learner.objective(seed, detach_every=3)
        assert torch.equal(loss, expected.loss)
        assert torch.equal(meta_loss, expected.meta_loss)
    assert_same(learner, step(5), learner.objective(5, detach_every=3))


@pytest.mark.usefixtures("replayed_on_cpu")
def test_an_initial_state_that_is_learned_is_read_as_a_weight() -> None:
    """And no draw is recorded for gradients: each would keep those before it alive."""
    agent = small_agent(
        CompleteTopology(),
        AttentionPolicy,
        membrane=partial(AttentionMembrane, key_size=4),
        birth=Birth("random", initial_state="learned"),
    )
    learner = MetaLearner(agent, GuessingGame(), None, Captured(), sizes=Sizes(4, 2, 3, 2))
    for seed in (5, 6):
        with torch.no_grad():
            agent.policy.get_parameter("initial_hidden").mul_(0.9)
        assert_same(learner, step_of(learner)(seed), learner.objective(seed))
        assert learner.gradient._step.life.hidden.grad_fn is None


@pytest.mark.usefixtures("replayed_on_cpu")
@pytest.mark.parametrize("accumulate_grad_batches", [1, 2])
def test_trains_as_without(fit: Fit, accumulate_grad_batches: int) -> None:
    both = Sum([MeanOverEnd(), Alikeness()])
    usual, graphed = make(gradient=Backpropagation(), meta_loss=both), make(meta_loss=both)
    for learner in (usual, graphed):
        fit(learner, 5, accumulate_grad_batches=accumulate_grad_batches, gradient_clip_val=1.0)
    torch.testing.assert_close(weights(graphed), weights(usual), rtol=0, atol=1e-7)


@pytest.mark.usefixtures("replayed_on_cpu")
def test_every_fit_captures_anew(fit: Fit) -> None:
    learner = make()
    fit(learner, 1)
    first = learner.gradient._step
    fit(learner, 1)
    assert learner.gradient._step is not first


def test_gradients_are_handed_on() -> None:
    """Scaled as the loss is, into tensors of their own; a parameter without one gets none."""
    used, unused = (torch.ones(3, requires_grad=True) for _ in range(2))
    gradient = torch.tensor([1.0, 2.0, 3.0])
    for _ in range(2):
        (2 * hand_on(torch.tensor(7.0), [gradient, None], [used, unused])).backward()
    assert used.grad is not None
    assert used.grad.tolist() == [4.0, 8.0, 12.0]
    assert gradient.tolist() == [1.0, 2.0, 3.0]
    assert unused.grad is None


def test_draws_are_copied_to_where_the_first_lies() -> None:
    one, other = ({"a": uniform(s, 3), "b": (uniform(s, 2, 2), "same")} for s in (0, 1))
    kept = one["a"]
    refill(one, other)
    assert one["a"] is kept
    assert torch.equal(kept, other["a"])
    assert torch.equal(one["b"][0], other["b"][0])


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (torch.zeros(2), torch.zeros(3), r"torch.float32 \[2\] on cpu .* \[3\] on cpu"),
        (torch.zeros(2), torch.zeros(2).double(), r"torch.float64 \[2\] on cpu"),
        ({"size": 2}, {"size": 3}, "got 2 and then 3"),
        ({"size": 2}, {"length": 2}, "got {'size': 2} and then {'length': 2}"),
        (None, torch.zeros(1), r"got None and then torch.float32 \[1\]"),
    ],
)
def test_other_draws_are_refused(first: Any, second: Any, message: str) -> None:
    assert_refused(f"a CUDA graph needs draws .*{message}", lambda: refill(first, second))


@pytest.mark.parametrize(
    "topology",
    [RandomTopology(k=2, redraw="rollout"), RandomTopology(k=2, redraw="agent"), Nearest()],
)
def test_other_topologies_are_refused(topology: Topology) -> None:
    message = f"a topology that is drawn once: .*got {type(topology).__name__}"
    assert_refused(message, lambda: make(topology))


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("cpu", "32-true", "a CUDA device, got cpu"),
        ("cuda", "bf16-mixed", "one precision throughout, got bf16-mixed"),
    ],
)
def test_other_runs_are_refused(device: str, precision: str, message: str) -> None:
    assert_refused(f"needs {message}", lambda: check_run(torch.device(device), precision))


def test_refused_at_the_start_of_a_fit(fit: Fit) -> None:
    learner = make()
    before = weights(learner)
    with pytest.raises(ValueError, match="a CUDA graph needs a CUDA device, got cpu"):
        fit(learner, 1)
    assert torch.equal(weights(learner), before)


# -------------------------------------------------------------------------------- on a GPU


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnGPU:
    def test_replays_are_rollouts(self) -> None:
        learner = make(gradient=Captured(detach_every=3)).to("cuda")
        step = step_of(learner)
        for seed in (5, 6, 5):
            expected = learner.objective(seed, detach_every=3)
            assert_same(learner, step(seed), expected, rtol=1e-4, atol=1e-6)

    def test_trains_as_without(self) -> None:
        """Five steps of Adam, whose weights the graph must find changed."""
        learners = [make(gradient=way).to("cuda") for way in (Backpropagation(), Captured())]
        for learner in learners:
            optimizer = learner.configure_optimizers()
            step = step_of(learner)
            for seed, _ in zip(TaskStream(0), range(5), strict=False):
                optimizer.zero_grad()
                step(seed)[0].backward()
                optimizer.step()
        usual, graphed = map(weights, learners)
        assert not torch.equal(usual, weights(make()).cuda())
        torch.testing.assert_close(graphed, usual, rtol=1e-4, atol=1e-5)

    def test_a_replay_does_not_wait(self) -> None:
        step = step_of(make().to("cuda"))
        step(0)[0].backward()
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(1)[0].backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
