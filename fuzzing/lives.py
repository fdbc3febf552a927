"""A configuration as a learner, and one outer step of it, with living agents that are edited."""

from __future__ import annotations

import inspect
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import networkx
import torch
from torch import Tensor

from badger_graph import BadgerAgent, MetaLearner, Stage, TaskFamily, unroll
from badger_graph.building import SAID_BY_AGENTS
from badger_graph.library.resume import build_learner
from badger_graph.life import Life
from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.gradients import Backpropagation, ScoreFunction
from badger_graph.outer.losses import Sum
from badger_graph.outer.sizes import Sizes
from badger_graph.tasks import Regressions, Tables
from fuzzing.draw import BUILT_BY_AGENTS, TABLES, Config
from fuzzing.edits import edit

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class UnclearError(AssertionError):
    """A refusal that does not say what was wrong."""


@contextmanager
def precision(config: Config) -> Iterator[None]:
    """Everything made inside has the precision of a configuration."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[config["dtype"]])
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def learner(config: Config) -> MetaLearner:
    """What a configuration says, and somewhere in its curriculum.

    Raises:
        ValueError: when it is refused.
    """
    torch.manual_seed(config["seed"])
    task = _built("task", config["task"])
    parts = {
        kind: _built(kind, config[kind]) for kind in ("policy", "topology", "membrane", "birth")
    }
    channel = _built("channel", config["channel"])
    communication = _built("communication", config["communication"], channel=channel)
    meta_loss = _built("meta_loss", config["meta_loss"])
    regulariser = _built("regulariser", config["regulariser"])
    made = MetaLearner(
        BadgerAgent(
            task.interface, **parts, communication=communication, **config["agent"]["arguments"]
        ),
        task,
        meta_loss if regulariser is None else Sum([meta_loss, regulariser]),
        _built("gradient", config["gradient"])
        or Backpropagation(config["detach_every"], config["checkpoint_every"]),
        _built("curriculum", config["curriculum"]),
        Sizes(**{name: config[name] for name in Sizes.__dataclass_fields__}),
    )
    made.train(config["training"])
    if made.curriculum is not None:
        for _ in range(config["lessons"]):
            made.curriculum.learn(0.01, made.task.chance)
    return made


def rebuilt(original: MetaLearner) -> MetaLearner:
    """The same from its config and weights, as a checkpoint keeps them."""
    again = build_learner(json.loads(json.dumps(original.config())))
    assert again.config() == original.config(), "another config after from_config"
    again.load_state_dict(original.state_dict())
    again.train(original.training)
    if original.curriculum is not None and again.curriculum is not None:
        again.curriculum.load_state_dict(original.curriculum.state_dict())
    return again


def _built(kind: str, part: Config | None, **others: Any) -> Any:
    if part is None:
        return None
    arguments = part["arguments"] | others
    if part["name"] == "file":
        with tempfile.TemporaryDirectory() as folder:
            return TABLES[kind]["file"](_write_graph(Path(folder), **arguments["path"]))
    if part["name"] == "stages":
        arguments["stages"] = [Stage(**stage) for stage in arguments["stages"]]
    if isinstance(arguments.get("of"), dict):
        arguments["of"] = _built("meta_loss", arguments["of"])
    if isinstance(arguments.get("family"), dict):
        arguments["family"] = _built("task", arguments["family"])
    for name, of in (("families", "task"), ("topologies", "topology")):
        if name in arguments:
            arguments[name] = [_built(of, one) for one in arguments[name]]
    entry = TABLES[kind][part["name"]]
    if kind in BUILT_BY_AGENTS and SAID_BY_AGENTS & inspect.signature(entry).parameters.keys():
        return partial(entry, **arguments)
    return entry(**arguments)


def _write_graph(folder: Path, rows: list[list[float]], ending: str) -> str:
    file = folder / f"graph{ending}"
    graph = networkx.DiGraph()
    graph.add_weighted_edges_from(rows)
    if ending == ".txt":
        networkx.write_weighted_edgelist(graph, file)
    else:
        file.write_text(json.dumps(networkx.node_link_data(graph, edges="edges")))
    return str(file)


@dataclass
class Lived:
    """What came of one outer step.

    Args:
        values: errors and actions of every step, and what is minimised, by name.
        gradients: of every parameter that is trained; none where nothing reaches it.
        life: the agents at the end.
        lesson: what the step was like.
        refusals: what was said to edits that were refused.
        edited: how many were not.
    """

    values: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    life: Life
    lesson: Lesson
    refusals: list[str]
    edited: int

    @property
    def finite(self) -> bool:
        return all(bool(value.isfinite().all()) for value in self.values.values())


def live(learner: MetaLearner, config: Config, executor: str | None = None) -> Lived:
    """One outer step: a rollout, edits of the living agents, a second rollout, gradients.

    Args:
        executor: in place of the agent's own.

    Raises:
        ValueError: when the agents cannot live so.
    """
    with mock.patch.object(learner.agent, "executor", executor or learner.agent.executor):
        return _live(learner, config)


def _live(learner: MetaLearner, config: Config) -> Lived:
    agent, seed = learner.agent, config["seed"]
    lesson = learner.objective.lesson
    if learner.curriculum is not None and not learner.curriculum.finished:
        lesson = learner.curriculum.lesson(seed, config["lessons"])
    gradient = learner.gradient
    assert isinstance(gradient, Backpropagation | ScoreFunction)
    every = (gradient.detach_every, getattr(gradient, "checkpoint_every", None))
    rollouts = [learner.objective.unroll(seed, lesson, *every)]
    life, refusals = rollouts[0].life, []
    for change in config["edits"]:
        try:
            after = edit(agent, life, **change)
            alike(learner.task, after).sample(1, after.num_outputs)
        except ValueError as error:
            refusals.append(clear(error))
        else:
            life = after
    if config["edits"]:
        generator = torch.Generator().manual_seed(seed + 1)
        task = alike(learner.task, life).sample(life.batch_size, life.num_outputs, generator)
        steps = max(1, learner.sizes.num_steps // 2)
        rollouts.append(unroll(agent, task, life.num_experts, steps, generator, *every, life=life))
    losses = [learner.meta_loss(rollout) for rollout in rollouts]
    if isinstance(gradient, ScoreFunction):
        losses[0] = gradient(learner.objective, seed, lesson).meta_loss
    wanted = torch.stack(losses).sum()
    named = {name: p for name, p in learner.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(wanted, list(named.values()), allow_unused=True)
    values = {"what is minimised": wanted.detach()}
    for number, rollout in enumerate(rollouts):
        values[f"errors of rollout {number}"] = rollout.loss.detach()
        values[f"actions of rollout {number}"] = rollout.action.detach()
    return Lived(
        values=values,
        gradients=dict(zip(named, gradients, strict=True)),
        life=rollouts[-1].life,
        lesson=lesson,
        refusals=refusals,
        edited=len(config["edits"]) - len(refusals),
    )


def alike(family: TaskFamily, life: Life) -> TaskFamily:
    """Of the same kind, with tasks that those living agents can go on with, for all of them."""
    if isinstance(family, Tables | Regressions):
        sizes = (life.num_inputs, family.num_examples)
        return type(family)(*sizes, family.few_inputs, most_numbers=2**30)
    return family


def clear(error: ValueError) -> str:
    """What a refusal says.

    Raises:
        UnclearError: when it does not state a rule and then the value found.
    """
    text = str(error)
    if not re.search(r"\bgot\b", text) or "Traceback" in text:
        raise UnclearError(
            f"a refusal must state the rule, then the value, got {text!r}"
        ) from error
    return text
