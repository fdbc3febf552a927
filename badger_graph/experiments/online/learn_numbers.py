"""The error of frozen policies on regressions whose best possible learner is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.baselines.online import bayes_linear, gaussian_process, nlms
from badger_graph.experiments.online.lives import answers
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.library.load import load_agent
from badger_graph.tasks import Regression
from topologies.checks import SEED, checked, size

NOISE = 0.1
"""Standard deviation of what is told about the truth."""

LENGTH = 0.4
"""Of the kernel of the Gaussian process, on inputs from -2 to 2."""

RATES = (0.3, 0.5, 0.7, 1.0)
"""Of NLMS, of which the best in hindsight counts."""

AFTER_LINEAR = (0, 4, 8, 12, 16, 32)

AFTER_PROCESS = (0, 1, 2, 5, 10, 20)


class LearnNumbers(Experiment):
    """Lets frozen policies learn functions, example by example, beside exact Bayesian learners.

    Linear functions of d normal inputs, with weights of variance 1/d; and samples of a Gaussian
    process of one input (squared exponential kernel, length 0.4, inputs even from -2 to 2). What is
    told has a noise of 0.1; the error is taken against what is true, before the example is told.

    Policies are shipped ones or checkpoints, one a training seed.

    Args:
        linear: policies that were trained on linear functions, for these.
        process: likewise on samples of Gaussian processes.
        general: likewise on regressions of all kinds, for both.
        dimensions: d of the linear functions.
        num_tasks: functions of each kind.
        seed: of the functions.

    Raises:
        ValueError: for a number below 1.
    """

    name = "learn_numbers"

    @checked(num_tasks=size(), seed=SEED)
    def __init__(
        self,
        linear: Sequence[str] = tuple(f"linear_functions-{seed}" for seed in range(3)),
        process: Sequence[str] = tuple(f"gaussian_processes-{seed}" for seed in range(3)),
        general: Sequence[str] = ("regression-0",),
        dimensions: Sequence[int] = (2, 8, 20),
        num_tasks: int = 2000,
        seed: int = 0,
    ) -> None:
        self.linear = linear
        self.process = process
        self.general = general
        self.dimensions = dimensions
        self.num_tasks = num_tasks
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        linear, process, general = (
            {name: load_agent(name) for name in names}
            for names in (self.linear, self.process, self.general)
        )
        result: dict[str, Any] = {}
        for dimension in self.dimensions:
            inputs, truth, told = self.linear_functions(dimension)
            flat = told[..., 0]
            weights = {"Bayes": bayes_linear(inputs, flat, NOISE, dimension**-0.5)}
            rates = [nlms(inputs, flat, rate) for rate in RATES]
            errors = [_linear_error(one, inputs, truth) for one in rates]
            best = min(range(len(RATES)), key=lambda k: float(errors[k].mean()))
            learners = {
                "Bayes": _linear_error(weights["Bayes"], inputs, truth),
                "NLMS, best rate": errors[best],
            }
            name = f"linear, d={dimension}"
            agents = {"of this kind": linear, "of all kinds": general}
            result[name] = self._outcome(agents, AFTER_LINEAR, inputs, truth, told, learners, name)
        inputs, truth, told = self.samples()
        learners = {"Bayes": self._process_error(inputs, truth, told)}
        name = "Gaussian process"
        agents = {"of this kind": process, "of all kinds": general}
        result[name] = self._outcome(agents, AFTER_PROCESS, inputs, truth, told, learners, name)
        return result

    def _outcome(
        self,
        agents: dict[str, dict[str, BadgerAgent]],
        after: tuple[int, ...],
        inputs: Tensor,
        truth: Tensor,
        told: Tensor,
        learners: dict[str, Tensor],
        name: str,
    ) -> dict[str, Any]:
        policies = {
            kind: {
                policy: _at(after, _error(agent, inputs, truth, told, name))
                for policy, agent in those.items()
            }
            for kind, those in agents.items()
        }
        return {
            "after": list(after),
            "policies": policies,
            "learners": {key: _at(after, error) for key, error in learners.items()},
        }

    def linear_functions(self, dimension: int) -> tuple[Tensor, Tensor, Tensor]:
        """Linear functions: inputs, what is true about them, and what is told, with noise.

        Args:
            dimension: inputs d.
        """
        generator = torch.Generator().manual_seed((self.seed << 10) + dimension)
        shape = (AFTER_LINEAR[-1] + 1, self.num_tasks)
        inputs = torch.randn(*shape, dimension, generator=generator)
        weight = torch.randn(self.num_tasks, dimension, generator=generator) / dimension**0.5
        truth = (inputs * weight).sum(dim=-1, keepdim=True)
        return inputs, truth, truth + NOISE * torch.randn(truth.shape, generator=generator)

    def samples(self) -> tuple[Tensor, Tensor, Tensor]:
        """The same of samples of the Gaussian process."""
        rng = np.random.default_rng(self.seed)
        length = AFTER_PROCESS[-1] + 1
        inputs = rng.uniform(-2, 2, (self.num_tasks, length))
        distance = inputs[:, :, None] - inputs[:, None]
        kernel = np.exp(-0.5 * distance**2 / LENGTH**2) + 1e-8 * np.eye(length)
        draws = rng.normal(size=(self.num_tasks, length, 1))
        truth = (np.linalg.cholesky(kernel) @ draws)[..., 0].T
        told = truth + NOISE * rng.normal(size=truth.shape)
        shown = torch.from_numpy(inputs.T.copy()).float()
        values = (torch.from_numpy(np.ascontiguousarray(one)).float() for one in (truth, told))
        truth_, told_ = values
        return shown[..., None], truth_[..., None], told_[..., None]

    @staticmethod
    def _process_error(inputs: Tensor, truth: Tensor, told: Tensor) -> Float[Tensor, "T B"]:
        x, y, t = (
            value.double().transpose(0, 1) for value in (inputs, told[..., 0], truth[..., 0])
        )
        errors = []
        for step in range(x.size(1)):
            seen, asked = x[:, :step], x[:, step : step + 1]
            mean = gaussian_process(seen, y[:, :step], asked, LENGTH, NOISE)[:, 0] if step else 0.0
            errors.append((mean - t[:, step]).square())
        return torch.stack(errors)

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        parts = []
        for name, kept in result.items():
            rows = []
            for kind, policies in kept["policies"].items():
                if policies:
                    columns = zip(*policies.values(), strict=True)
                    errors = (with_bar(list(column), ".4f") for column in columns)
                    rows.append([f"Badger, trained on functions {kind}", *errors])
            rows += [[key, *(f"{e:.4f}" for e in one)] for key, one in kept["learners"].items()]
            parts.append(table([name, *(f"after {k}" for k in kept["after"])], rows))
        return "\n\n".join(parts)


def _error(
    agent: BadgerAgent, inputs: Tensor, truth: Tensor, told: Tensor, name: str
) -> Float[Tensor, "T B"]:
    return (answers(agent, Regression, inputs, told, name) - truth).square()[..., 0]


def _linear_error(
    weight: Float[Tensor, "T B n"], inputs: Tensor, truth: Tensor
) -> Float[Tensor, "T B"]:
    return ((weight * inputs).sum(dim=-1) - truth[..., 0]).square()


def _at(after: tuple[int, ...], error: Float[Tensor, "T B"]) -> list[float]:
    return [round(float(error[step].mean()), 5) for step in after]
