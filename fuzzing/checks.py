"""What must hold for every configuration that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._pytree import tree_map

from badger_graph import AttentionPolicy, LSTMPolicy, MetaLearner, unroll
from badger_graph.communication import FixedRounds
from badger_graph.executors.prepare import EXECUTORS
from badger_graph.life import Life
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.gradients import Backpropagation, ScoreFunction
from badger_graph.policies import MessagePolicy
from badger_graph.tasks import Bandit, Classification, Guesses, GuessingTask, Regression, Task
from fuzzing.draw import Config
from fuzzing.lives import Lived, alike, clear, learner, live, precision, rebuilt
from topologies import Wires

Ending = Literal["ran", "diverged", "refused"]

NEAR = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far two ways to compute the same may be apart."""

ALIKE = {torch.float64: 1e-12, torch.float32: 1e-5}
"""How far, where only the order of sums may differ."""

ROUNDING = 300
"""As many times as much as rounding the weights once does, agents near chaos may differ."""


class Outcome(NamedTuple):
    """How a configuration ended.

    Args:
        refusals: what was said to it, or to edits of its living agents.
        executors: that were held against the reference.
        leak: whether it was looked for: only where a batch has several agents.
        bits: whether no bit of the first agent changed with the others.
    """

    ending: Ending
    refusals: list[str]
    executors: tuple[str, ...] = ()
    edited: int = 0
    leak: bool = False
    bits: bool = False


def check(config: Config) -> Outcome:
    """Build a configuration, take an outer step and hold it to everything that must be true.

    Raises:
        AssertionError: when something is not; any other error is a crash.
    """
    with precision(config):
        try:
            made = learner(config)
        except ValueError as error:
            return Outcome("refused", [clear(error)])
        try:
            lived = live(made, config)
        except ValueError as error:
            if getattr(made.agent.topology, "redraw", "once") == "once":
                raise  # what cannot be must be refused before
            return Outcome("refused", [clear(error)])  # no such graph was drawn, this time
        if not lived.finite:
            try:
                made._watch.see("meta-loss", lived.values["what is minimised"], 0)
            except NonFiniteLossError:
                return Outcome("diverged", lived.refusals)
            raise AssertionError("an action is not finite and what is minimised is")
        alone = lived.life.batch_size == 1
        try:
            check_gradients(made, lived, config)
            check_same_bits(made, lived, config)
            compared = check_executors(made, lived, config)
            bits = not alone and check_leak(made, lived, config)
        except OverflowError:
            if not config["mistake"]:
                raise
            return Outcome("diverged", lived.refusals)  # a gain of 1e30, say
        return Outcome("ran", lived.refusals, compared, lived.edited, not alone, bits)


def check_gradients(made: MetaLearner, lived: Lived, config: Config) -> None:
    """Every parameter that is trained has a finite gradient, where its agents use it."""
    unused = set(unused_parameters(made, lived))
    for name, gradient in lived.gradients.items():
        assert gradient is not None or name in unused, f"no gradient reaches {name}"
        if gradient is not None:
            must_be_finite(f"the gradient of {name}", gradient)
    if config["mistake"] or getattr(made.task, "error", "mse") == "l1":
        return  # where numbers are extreme, or gradients are signs, which may cancel
    silent = [name for name, of in lived.gradients.items() if of is not None and not of.any()]
    assert len(silent) < len(lived.gradients), "all gradients are zero"
    if not unused and speaks(made, lived):
        silent = [name for name in silent if not name.endswith(RECTIFIED)]
        assert not silent, f"the gradient is zero of {', '.join(silent)}"


RECTIFIED = ("of_told.weight", "move.weight")
"""Around the rectifier of the addressed membrane, of which no unit need be open."""


def must_be_finite(what: str, value: Tensor) -> None:
    """Refuse what is too large to be compared.

    Raises:
        OverflowError: when a number is infinite or none.
    """
    if not value.isfinite().all():
        raise OverflowError(f"{what} must be finite")


def unused_parameters(made: MetaLearner, lived: Lived) -> Iterator[str]:
    """Those that what is minimised does not depend on, by the design of policy and rollout."""
    agent = made.agent
    for name in lived.gradients:
        if name.startswith("agent.topology.") and (
            isinstance(agent.policy, LSTMPolicy)  # an agent of one expert hears nobody
            or not (made.training or agent.topology.dynamic)  # a learned graph is cut out then
        ):
            yield name
        if isinstance(agent.policy, AttentionPolicy):
            # Outputs read the states from before the last round.
            if _short(made) and name.startswith(UPDATED):
                yield name
            if _detach_every(made) is not None and name.endswith("initial_hidden"):
                yield name


UPDATED = tuple(f"agent.policy.{part}." for part in ("query", "receive", "merge", "update"))
"""What changes a state in the attentional policy."""


def _detach_every(made: MetaLearner) -> int | None:
    assert isinstance(made.gradient, Backpropagation | ScoreFunction)
    return made.gradient.detach_every


def _short(made: MetaLearner) -> bool:
    num_steps = made.sizes.num_steps
    most = _detach_every(made) or num_steps
    steps, last = min(num_steps, most), (num_steps - 1) % most + 1
    communication = made.agent.communication
    assert isinstance(communication, FixedRounds)
    return communication.rounds * min(steps, last) < 2


def speaks(made: MetaLearner, lived: Lived) -> bool:
    """Whether every part of an agent has something to do, so that no gradient may be zero."""
    life, agent = lived.life, made.agent
    pairs = life.batch_size * life.num_experts * (life.num_experts - 1)
    return (
        life.num_experts > 1
        and life.edges.index.size(1) >= pairs
        and bool(life.edges.weight.all())
        and not lived.edited
        and agent.birth.initial_state == "random"
        and agent.birth.identifiers != "none"
        and made.sizes.num_steps > 1
        and _detach_every(made) is None
        and all(getattr(part, "beta", 1) > 0 for part in (agent.topology, agent.policy))
        and getattr(agent.topology, "k", 2) > 1  # the softmax of one score has no gradient
        and bool(lived.values["errors of rollout 0"].all())
    )


def check_same_bits(made: MetaLearner, lived: Lived, config: Config) -> None:
    """The same again, from config and weights, with other steps kept for the gradient: all bits."""
    again = rebuilt(made)
    with torch.inference_mode():  # first: what is kept then must serve training, too
        first = again.objective.unroll(config["seed"], lived.lesson).action
    expected = lived.values["actions of rollout 0"]
    assert first.equal(expected), "other bits of actions without gradients"
    every = None if config["checkpoint_every"] else 1 + config["seed"] % 3
    if isinstance(made.gradient, Backpropagation):
        again.gradient = Backpropagation(_detach_every(made), every)
    _assert_same_bits(live(again, config), lived, f"checkpoint_every={every}")


def _assert_same_bits(actual: Lived, expected: Lived, what: str) -> None:
    assert actual.lesson == expected.lesson, f"{what}: another lesson"
    found, wanted = ({"value": one.values, "gradient": one.gradients} for one in (actual, expected))
    assert_close(found, wanted, rtol=0, atol=0, msg=lambda said: f"{what}: other bits: {said}")


def servants(made: MetaLearner, lived: Lived) -> tuple[str, ...]:
    """The executors of messages that can serve a policy."""
    policy = made.agent.policy
    if not isinstance(policy, MessagePolicy):
        return ()
    channel, edges = made.agent.communication.channel, lived.life.edges
    return tuple(
        name
        for name, executor in EXECUTORS.items()
        if executor.obstacle(policy, channel, edges) is None
    )


def check_executors(made: MetaLearner, lived: Lived, config: Config) -> tuple[str, ...]:
    """All executors that can serve give the reference's errors, actions and gradients."""
    names = servants(made, lived)
    if not names:
        return ()
    used = lived.life.executor.name  # also where it was chosen automatically
    expected = lived if used == "reference" else live(made, config, "reference")
    noise: list[Lived] = []
    compared = []
    for name in names[1:]:
        ours = lived if used == name else live(made, config, name)
        compared.append(name)
        away = distance(ours, expected)
        if away <= NEAR[made.agent.dtype]:
            continue
        noise = noise or [live(_rounded(made), config, "reference")]
        allowed = ROUNDING * distance(noise[0], expected)
        assert away <= allowed, f"executor {name} is {away:g} away, rounding allows {allowed:g}"
    return tuple(compared)


def _rounded(made: MetaLearner) -> MetaLearner:
    """The same with all weights changed by as much as rounding does."""
    again = rebuilt(made)
    eps = torch.finfo(made.agent.dtype).eps
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.mul_(1 + eps * torch.randn_like(parameter))
    return again


def distance(actual: Lived, expected: Lived) -> float:
    """The largest relative distance of a value, or of a gradient beside all of them."""
    found = [0.0]
    for name, value in expected.values.items():
        found.append(_relative(actual.values[name], value, value.new_tensor(1e-6)))
    gradients = {name: of for name, of in expected.gradients.items() if of is not None}
    total = 1e-3 * torch.stack([of.norm() for of in gradients.values()]).norm() + 1e-6
    for name, of in gradients.items():
        other = actual.gradients[name]
        assert other is not None, f"the gradient of {name} reaches it with the reference alone"
        found.append(_relative(other, of, total))
    return max(found)


def _relative(actual: Tensor, expected: Tensor, floor: Tensor) -> float:
    away = float((actual - expected).norm() / (expected.norm() + floor))
    return away if away == away else float("inf")


def check_leak(made: MetaLearner, lived: Lived, config: Config) -> bool:
    """Whatever the other agents of a batch are like, the first does not notice.

    Returns:
        Whether all is the same to the bit.
    """
    life = _alone(made, lived.life)
    family = alike(made.task, life)
    task = family.sample(life.batch_size, life.num_outputs, _generator(config))
    usual, gradients = _first(made, life, task, inputs=True)
    must_be_finite("the action of living agents", usual)
    experts = slice(life.num_experts)
    owned: dict[str, slice | Tensor] = {
        "hidden": experts,
        "identifier": experts,
        "action": slice(1),
        "address": slice(1),
        "edge_weight": life.edges.index[1] < experts.stop,
    }
    for name, gradient in gradients.items():
        must_be_finite(f"the gradient of {name}", gradient)
        if name in owned:
            leaked = gradient.clone()
            leaked[owned[name]] = 0
            assert not leaked.any(), f"a leak: the first agent's error depends on others' {name}"
    others, other_task = _disturbed(made, life, task, _generator(config))
    changed, others_gradients = _first(made, others, other_task, inputs=False)
    near = ALIKE[made.agent.dtype]
    bits = True
    pairs = [("action", changed, usual)]
    pairs += [(f"gradient of {name}", of, gradients[name]) for name, of in others_gradients.items()]
    for name, actual, expected in pairs:
        bits = bits and torch.equal(actual, expected)
        away = _relative(actual, expected, expected.new_tensor(1e-6))
        assert away <= near, f"a leak: the first agent's {name} is {away:g} away"
    return bits


def _generator(config: Config) -> torch.Generator:
    return torch.Generator().manual_seed(config["seed"] + 2)


def _alone(made: MetaLearner, life: Life) -> Life:
    """The same agents, with nothing of how they came to be."""

    def own(part: Tensor) -> Tensor:
        return part.detach().clone()

    links = life.links if isinstance(life.links, Wires) else tree_map(own, life.edges)
    experts, addresses = tree_map(own, (life.experts, life.addresses))
    return made.agent.life(experts, addresses, own(life.action), links)


def _disturbed(
    made: MetaLearner, life: Life, task: Task, generator: torch.Generator
) -> tuple[Life, Task]:
    """All agents but the first in other states, and with other tasks."""

    def moved(value: Tensor, first: int) -> Tensor:
        noise = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        noise[:first] = 0
        return value + noise

    experts = life.experts._replace(
        hidden=moved(life.hidden, life.num_experts),
        identifier=moved(life.identifier, life.num_experts),
    )
    action = moved(life.action, 1)
    addresses = life.addresses._replace(outputs=moved(life.addresses.outputs, 1))
    after = made.agent.life(experts, addresses, action, life.links)
    return after, _other(task, moved)


def _other(task: Task, moved: Callable[[Tensor, int], Tensor]) -> Task:
    """The same task for the first agent, others for all others."""
    match task:
        case GuessingTask():
            return GuessingTask(moved(task.target, 1), task.family)
        case Classification() | Regression():
            inputs = moved(task.inputs.transpose(0, 1), 1).transpose(0, 1)
            return type(task)(inputs, task.truth)
        case Bandit() | Guesses():
            value = task.value.clone()
            value[1:] = 1 - value[1:]
            if isinstance(task, Guesses):
                return Guesses(value, task.num_steps)
            return Bandit(value, task.rewards, task.num_steps)
    raise AssertionError(f"nobody says what another {type(task).__name__} is")


def _first(
    made: MetaLearner, life: Life, task: Task, inputs: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the first agent of a batch does, and the gradients of its errors."""
    agent = made.agent
    by: dict[str, Tensor] = {name: p for name, p in agent.named_parameters() if p.requires_grad}
    if inputs:
        by["hidden"], by["identifier"] = life.hidden, life.identifier
        by["action"], by["address"] = life.action, life.addresses.outputs
        if isinstance(agent.policy, MessagePolicy) and not agent.topology.dynamic:
            by["edge_weight"] = life.edges.weight
        for value in by.values():
            value.requires_grad_()
        life = agent.life(life.experts, life.addresses, life.action, life.links)
    steps = min(2, made.sizes.num_steps)
    generator = torch.Generator().manual_seed(0)
    rollout = unroll(agent, task, life.num_experts, steps, generator, life=life)
    gradients = torch.autograd.grad(
        rollout.loss[:, 0].sum(), list(by.values()), allow_unused=True, materialize_grads=True
    )
    return rollout.action[:, 0].detach(), dict(zip(by, gradients, strict=True))
