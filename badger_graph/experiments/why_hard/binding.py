"""Do experts organise, during training and during a life?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from badger_graph.analysis import GaussianEntropy, binding_information, principal
from badger_graph.analysis.subject import COMPONENTS, Subject
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import (
    curve,
    estimate,
    less,
    measurement,
    measurements_of,
    plateaus_panel,
    positive,
    sign_claim,
    with_error,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel
from badger_graph.library.load import load_trained
from badger_graph.outer.config import from_config, to_config

NAMES = {
    "binding_information": "binding information",
    "total_correlation": "total correlation",
    "o_information": "O-information",
}

RIDGES = (1e-2, 1e-3, 1e-4, 1e-6)
"""Variances of the noise that is added to states: how fine a dependence counts."""

SWINGS = 0.1
"""Motion is periodic when more than this part of it is in modes that oscillate."""


class Binding(TrainingExperiment):
    """Binding information of 16 experts with 4 in-links that guess 4 numbers.

    Source: Šimánek (blog), "Organization" and its two figures, "Dynamic Mode Decomposition".
    """

    name = "binding"
    title = "Binding information: organisation of the experts"
    question = (
        "Binding information is the part of what can be known about all experts' states that two "
        "or more of them share: how organised they are. Sixteen experts, each of which hears four "
        "others and which nothing else tells apart at birth, learn to guess four numbers. "
        "Does it grow in the course of training, and within a life, from step to step? A noise "
        "(the ridge) is added to the states, of 0.001 of their variance where nothing else is "
        "said: it decides how fine a dependence counts. And what kind of motion is such a life: do "
        "states swing, and do two lives that begin nearly alike come together?"
    )
    short = Scale(seeds=2, max_steps=1500)
    full = Scale(seeds=5, max_steps=5000)

    told: ClassVar = {"16 experts": "--config binding --topology.seed {seed}"}

    def findings(self, runs: Sequence[Run]) -> Findings:
        ends = {name: [_last(one, name) for one in runs] for name in NAMES}
        starts = {name: [_first(one, name) for one in runs] for name in NAMES}
        untrained, lives = (
            [measurements_of(one, "binding_over_life")[1][k] for one in runs] for k in (0, -1)
        )
        steps = list(range(1, len(lives[0]) + 1))
        modes = [measurements_of(one, "dynamic_modes")[1][-1] for one in runs]
        ridges = [by_ridge for one in runs if (by_ridge := _by_ridge(one)) is not None]
        return Findings(
            claims=[
                _grows_in_training(
                    starts["binding_information"], ends["binding_information"], ridges
                ),
                _grows_in_life(untrained, lives),
                _goes_with_error(runs),
                _no_modes(modes),
                _stable(runs),
            ],
            panels=[
                Panel(
                    "Binding information in training",
                    "outer step",
                    "nats",
                    {"binding information": curve(runs, measurement("binding_information"))},
                    log_x=True,
                ),
                plateaus_panel(runs, 4),
                Panel(
                    "Binding information in a life",
                    "inner step",
                    "nats",
                    {
                        "trained": {"x": steps, "y": lives},
                        "untrained": {"x": steps, "y": untrained},
                    },
                ),
                Panel(
                    "Total correlation and O-information in training",
                    "outer step",
                    "nats",
                    {NAMES[name]: curve(runs, measurement(name)) for name in list(NAMES)[1:]},
                    log_x=True,
                ),
            ],
            columns=["measure, nats", "untrained", "trained"],
            rows=[
                *([NAMES[name], estimate(starts[name]), estimate(ends[name])] for name in NAMES),
                *(
                    [
                        f"binding information, ridge {ridge:g}",
                        *(estimate([by_ridge[ridge][k] for by_ridge in ridges]) for k in range(2)),
                    ]
                    for ridge in (RIDGES if ridges else ())
                ),
            ],
            numbers={
                "untrained": starts,
                "trained": ends,
                "over_life": {"untrained": untrained, "trained": lives},
                "by_ridge": ridges,
                "dynamic_modes": modes,
            },
        )


def _first(one: Run, name: str) -> float:
    return measurements_of(one, name)[1][0]


def _last(one: Run, name: str) -> float:
    """The mean of the last three measurements."""
    return statistics.mean(measurements_of(one, name)[1][-3:])


def _by_ridge(one: Run) -> dict[float, tuple[float, float]] | None:
    """Binding information of the agent as it was born and as it is trained, ridge by ridge; none
    if it diverged before its first checkpoint.
    """
    if not one.checkpoint.is_file():
        return None
    training = load_trained(one.checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(one.training.seed)
        newborn = from_config(to_config(training.agent))
    states = []
    for agent in (newborn, training.agent):
        hidden = Subject(agent, *training[1:-1]).recording.hidden[-1]
        states.append(principal(hidden, COMPONENTS))

    def shared(of: Tensor, ridge: float) -> float:
        return binding_information(GaussianEntropy.of_states(of, ridge)).item()

    return {ridge: (shared(states[0], ridge), shared(states[1], ridge)) for ridge in RIDGES}


def _grows_in_training(
    first: Sequence[float],
    last: Sequence[float],
    ridges: Sequence[Mapping[float, tuple[float, float]]],
) -> Claim:
    """Whatever the ridge."""
    growth = less(first, than=last)
    words = [f"from {estimate(first)} nats untrained to {estimate(last)}: by {estimate(growth)}"]
    verdict = positive(growth)
    for ridge in RIDGES if ridges else ():
        more = [after - before for before, after in (by_ridge[ridge] for by_ridge in ridges)]
        words.append(f"ridge {ridge:g}: by {estimate(more, 1)}")
        if verdict == "yes" and positive(more) != "yes":
            verdict = "partly"
    says = "Binding information grows in the course of training"
    return Claim(says, "; ".join(words), verdict)


def _grows_in_life(untrained: Sequence[Sequence[float]], lives: Sequence[Sequence[float]]) -> Claim:
    """Against the untrained: states begin alike, and what is heard spreads in any life."""
    before, growth = ([life[-1] - life[0] for life in of_all] for of_all in (untrained, lives))
    more = less(before, than=growth)
    highest = [1 + max(range(len(life)), key=life.__getitem__) for life in lives]
    evidence = (
        f"from the first to the last step of a life by {estimate(growth)} nats, untrained "
        f"{estimate(before)}, more by {estimate(more)}; highest at step "
        f"{statistics.median(highest):.0f} of {len(lives[0])}"
    )
    verdict = positive(growth)
    if verdict == "yes" and positive(more) != "yes":
        verdict = "partly"
    return Claim("Binding information grows within a life, as it is learned", evidence, verdict)


def _goes_with_error(runs: Sequence[Run]) -> Claim:
    binding = measurement("binding_information")
    return sign_claim(
        "From one outer step to the next, too, more organisation goes with a lower error",
        "rank correlation of binding information with minus the error while it learns, given the "
        "outer step: {}",
        [-rho for rho in with_error(runs, binding)],
    )


def _no_modes(modes: Sequence[Mapping[str, Sequence[float]]]) -> Claim:
    """Over the ranks: how much oscillates depends on how many modes there are to do so."""
    ranks = min((of_one["rank"] for of_one in modes), key=len)
    words = [
        f"rank {rank}: {estimate([of_one['oscillating'][k] for of_one in modes], 2)}, residual "
        f"{estimate([of_one['residual'][k] for of_one in modes], 2)}"
        for k, rank in enumerate(ranks)
    ]
    shares = [max(of_one["oscillating"]) for of_one in modes]
    return Claim(
        "The inner loop has no periodic behaviour that dynamic mode decomposition could find",
        "share of the motion in modes that oscillate (with what a linear map of the rank leaves "
        f"unpredicted): {'; '.join(words)}; the most at any rank, by seed: "
        f"{', '.join(f'{share:.2f}' for share in shares)}, {estimate(shares, 2)}",
        positive([SWINGS - share for share in shares]),
    )


def _stable(runs: Sequence[Run]) -> Claim:
    before, after = (
        [statistics.mean(measurements_of(one, "lyapunov")[1][k]) for one in runs] for k in (0, -1)
    )
    return Claim(
        "Lives that begin nearly alike come together: the inner loop is stable",
        "largest Lyapunov exponent of the second half of a life, nats a step: untrained "
        f"{estimate(before)}, trained {estimate(after)}",
        positive([-exponent for exponent in after]),
        "ours",
    )
