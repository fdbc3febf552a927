"""What the experiment on plateaus finds in trainings whose plateaus are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from properties import seeded
from recorded import recorded

from badger_graph import analysis
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import CHANCE
from badger_graph.experiments.why_hard.findings import Claim
from badger_graph.experiments.why_hard.plateaus import THREE, Plateaus, _noise

LEARNED = (250, 250, 350, None)
"""When each number is learned."""


Learned = Sequence[int | None]

STEPS = (0, 100, 150, 250, 350, 450)


def output_error(step: int, learned: int | None) -> float:
    """Of a number that is on its way in one measurement alone: that when it is learned."""
    if learned is None or step < learned:
        return CHANCE
    return 0.3 * CHANCE if step == learned else 0.01


def row(
    step: int, plateau: bool, common: float = 1.0, learned: Learned = LEARNED, valley: float = 0.5
) -> dict[str, Any]:
    """A measurement: conflict and a saddle on plateaus, agreement and a valley between them."""
    return {
        "step": step,
        "output_errors": [output_error(step, at) for at in learned],
        "outputs_alike": {"size": 0.2, "common": common},
        "gradient_conflict": {
            "negative_share": 0.6 if plateau else 0.1,
            "alignment": 0.2 if plateau else 0.8,
        },
        "hessian": {
            "smallest": -0.5 if plateau else valley,
            "largest": 2.0,
            "smallest_residual": 0.1,
        },
    }


def staircase(folder: Path, seed: int, ends: int = 500, name: str = "twenty", **said: Any) -> Run:
    """At chance up to step 200, then a fall of a hundred steps to 0.09, and there it stays."""
    chance, low = (torch.tensor(level).log10().item() for level in (CHANCE, 0.09))
    fall = torch.logspace(chance, low, 100, dtype=torch.float64)
    levels = torch.cat([torch.full((200,), CHANCE), fall, torch.full((200,), 0.09)])
    errors = levels * (1 + 0.02 * torch.randn(500, generator=seeded(seed)))
    norms = [0.1] * 200 + [1.0] * 100 + [0.1] * 200
    rows = [row(step, plateau=step != 250, **said) for step in STEPS if step <= ends]
    return recorded(folder, seed, errors.tolist()[:ends], rows, norms[:ends], every=1, name=name)


def claims(trained: Sequence[Run]) -> list[Claim]:
    return Plateaus().findings(trained).claims


def test_of_a_staircase(tmp_path: Path) -> None:
    trained = [staircase(tmp_path, seed) for seed in range(2)]
    three = [staircase(tmp_path, seed, name=THREE) for seed in range(2)]
    findings = Plateaus().findings([*trained, *three])
    several, noise, small, alike, one_by_one, conflict, saddles, chaos = findings.claims
    assert "three numbers, from outer step 301 (301-301) on" in chaos.measured
    for ends in findings.numbers["plateaus"]:
        spans = [(plateau["start"], plateau["stop"]) for plateau in ends]
        assert torch.tensor(spans).tolist() == [
            [1, pytest.approx(200, abs=15)],
            [pytest.approx(300, abs=15), 500],
        ]
    assert several.holds == "yes"
    assert "in each seed: 2, 2; error first below 0.30 after 212" in several.measured
    assert "on 4 plateaus" in noise.measured
    assert small.holds == "yes"
    assert "gradient norm 0.1" in small.measured
    assert alike.holds == "yes"
    # Of four numbers two at one step and one at another; the fourth never.
    assert one_by_one.holds == "partly"
    assert "by seed: 3, 3; " in one_by_one.measured
    assert "0.38 ± 0.00 of all are" in one_by_one.measured
    assert findings.numbers["learned"] == [list(LEARNED)] * 4
    assert chaos.holds == "partly"  # noise has a positive exponent, too
    assert conflict.holds == "yes"
    assert "0.200 ± 0.000, between 0.800 ± 0.000" in conflict.measured
    assert saddles.holds == "yes"
    assert "-0.250 ± 0.000 on plateaus, 0.250 ± 0.000 between" in saddles.measured
    assert len(findings.rows) == 8
    assert all(len(cells) == len(findings.columns) for cells in findings.rows)


def test_one_by_one_or_all_together(tmp_path: Path) -> None:
    """One of eight is on its way at a time, or all are."""
    one = [100, 150, 250, 350, 450, None, None, None]
    for name, learned, holds in (("one", one, "yes"), ("all", [250] * 8, "no")):
        folder = tmp_path / name
        both = [staircase(folder, seed, learned=learned, common=0.5) for seed in range(2)]
        assert claims(both)[4].holds == holds
        assert claims(both[:1])[4].holds == "undecided"


def test_plateaus_are_no_more_of_a_saddle_than_what_is_between_them(tmp_path: Path) -> None:
    both = [staircase(tmp_path, seed, valley=-0.5) for seed in range(2)]
    *_, saddles, _ = claims(both)
    assert saddles.holds == "partly"
    assert "in 8 of 8 measurements" in saddles.measured  # neither those between nor at birth
    assert "-0.250 ± 0.000 on plateaus, -0.250 ± 0.000 between" in saddles.measured


def test_a_curve_that_ends_in_a_fall_has_no_last_plateau(tmp_path: Path) -> None:
    falling = [
        staircase(tmp_path, seed, ends=290, name=name)
        for seed in range(2)
        for name in ("twenty", THREE)
    ]
    findings = Plateaus().findings(falling)
    assert [len(found) for found in findings.numbers["plateaus"]] == [1] * 4
    assert findings.numbers["lyapunov"] == [None] * 4
    chaos = findings.claims[-1]
    assert chaos.measured == "no run ended on a plateau below an MSE of 0.1"
    assert chaos.holds == "undecided"
    assert findings.claims[0].holds == "no"


def test_noise_by_hand(tmp_path: Path) -> None:
    """Beside shuffled copies, of which one of twenty is outside by chance, in an interval."""

    def noise(*seeds: Sequence[float], half: float = 0.05) -> Claim:
        low, high = 0.5 - half, 0.5 + half
        return _noise(
            [
                [analysis.SurrogateTest(value, low, high, 0.5) for value in values]
                for values in seeds
            ]
        )

    near = noise([0.46, 0.54], [0.51], [0.49])
    assert near.holds == "yes"  # 0 ± 0.025
    assert "on 4 plateaus" in near.measured
    assert "0.51 (0.45 to 0.55)" in near.measured
    assert noise([0.8], [0.81], [0.79]).holds == "no"
    # Not excluded is not shown: a wide interval, and wide bands.
    assert noise([0.55], [0.46], [0.48]).holds == "undecided"
    assert noise([0.55], [0.46], [0.48], half=0.2).holds == "undecided"
    # In the mean alone: each has two that are far out, to either side.
    assert noise([0.3, 0.7], [0.31, 0.69], [0.29, 0.71]).holds == "partly"
    assert noise([0.5]).holds == "undecided"
    assert noise([], []).holds == "undecided"


def test_a_fall_on_the_way_is_no_plateau_and_noise_is_told_from_memory(tmp_path: Path) -> None:
    """A random walk about one level has no Hurst exponent of 0.5."""

    def wandering(seed: int) -> Run:
        walk = torch.randn(1000, generator=seeded(seed), dtype=torch.float64)
        walk = walk.cumsum(0) - torch.linspace(0, float(walk.sum()), 1000)
        errors = CHANCE * (1 + 0.015 * walk / walk.abs().max())
        rows = [row(step, plateau=True, common=0.3) for step in (0, 100)]
        return recorded(tmp_path, seed, errors.tolist(), rows, [0.1] * 1000, every=1)

    both = [wandering(seed) for seed in range(2)]
    several, noise, small, alike, one_by_one, conflict, *_ = claims(both)
    assert several.holds == "undecided"  # how many there would have been is not known
    assert noise.holds == "no"
    assert alike.holds == "no"
    assert [small.holds, one_by_one.holds, conflict.holds] == ["undecided"] * 3


def test_curves_too_short_say_nothing(tmp_path: Path) -> None:
    both = [
        recorded(tmp_path, seed, [0.3] * 12, [row(0, plateau=True)], [0.1] * 12, every=1)
        for seed in range(2)
    ]
    several, *_, alike, one_by_one, conflict, saddles, chaos = claims(both)
    assert several.holds == "no"
    assert alike.holds == "yes"
    undecided = (one_by_one, chaos, conflict, saddles)
    assert [claim.holds for claim in undecided] == ["undecided"] * 4
