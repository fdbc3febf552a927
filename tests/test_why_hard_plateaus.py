"""What the experiment on plateaus finds in trainings whose plateaus are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from properties import seeded
from recorded import recorded

from badger_graph.experiments.trainings import Trained
from badger_graph.experiments.why_hard.base import CHANCE, Claim
from badger_graph.experiments.why_hard.plateaus import Plateaus

OUTPUTS = 4

LEARNED = (250, 250, 350, None)
"""When each number is learned."""


def row(step: int, plateau: bool, common: float = 1.0) -> dict[str, Any]:
    """A measurement: conflict and a saddle on plateaus, agreement and a valley between them."""
    known = [learned is not None and step >= learned for learned in LEARNED]
    return {
        "step": step,
        "output_errors": [0.01 if k else CHANCE for k in known],
        "outputs_alike": {"size": 0.2, "common": common},
        "gradient_conflict": {
            "negative_share": 0.6 if plateau else 0.1,
            "alignment": 0.2 if plateau else 0.8,
        },
        "hessian": {
            "smallest": -0.5 if plateau else 0.5,
            "largest": 2.0,
            "smallest_residual": 0.1,
        },
    }


def staircase(folder: Path, seed: int, common: float = 1.0) -> Trained:
    """At chance up to step 200, then a fall of a hundred steps to 0.1, and there it stays."""
    fall = torch.logspace(torch.tensor(CHANCE).log10().item(), -1, 100, dtype=torch.float64)
    levels = torch.cat([torch.full((200,), CHANCE), fall, torch.full((200,), 0.1)])
    errors = levels * (1 + 0.02 * torch.randn(500, generator=seeded(seed)))
    norms = [0.1] * 200 + [1.0] * 100 + [0.1] * 200
    rows = [row(step, plateau=step != 250, common=common) for step in (0, 100, 150, 250, 350, 450)]
    return recorded(folder, seed, errors.tolist(), rows, norms, every=1)


def claims(trained: Sequence[Trained]) -> list[Claim]:
    return Plateaus().findings(trained).claims


def test_of_a_staircase(tmp_path: Path) -> None:
    trained = [staircase(tmp_path, seed) for seed in range(2)]
    findings = Plateaus().findings(trained)
    several, noise, small, alike, one_by_one, chaos, conflict, saddles = findings.claims
    for ends in findings.numbers["plateaus"]:
        spans = [(plateau["start"], plateau["stop"]) for plateau in ends]
        assert torch.tensor(spans).tolist() == [
            [1, pytest.approx(200, abs=15)],
            [pytest.approx(300, abs=15), 500],
        ]
    assert several.holds == "yes"
    assert "in each seed: 2, 2; the first is at chance in 2 of 2" in several.measured
    assert "4 plateaus" in noise.measured
    assert small.holds == "yes"
    assert "gradient norm 0.1" in small.measured
    assert alike.holds == "yes"
    # Three numbers at two steps; the fourth never.
    assert one_by_one.holds == "yes"
    assert "3, 3 numbers learned" in one_by_one.measured
    assert "100 ± 0 outer steps after the first, in 0.67" in one_by_one.measured
    assert findings.numbers["learned"] == [list(LEARNED)] * 2
    assert chaos.holds == "partly"  # noise has a positive exponent, too
    assert conflict.holds == "yes"
    assert "0.200 ± 0.000, between 0.800 ± 0.000" in conflict.measured
    assert saddles.holds == "yes"
    assert "-0.250 ± 0.000 on plateaus, 0.250 ± 0.000 between" in saddles.measured
    assert len(findings.rows) == 4
    assert all(len(cells) == len(findings.columns) for cells in findings.rows)


def test_a_fall_on_the_way_is_no_plateau_and_noise_is_told_from_memory(tmp_path: Path) -> None:
    """A random walk about one level has no Hurst exponent of 0.5."""
    walk = torch.randn(400, generator=seeded(0), dtype=torch.float64)
    walk = walk.cumsum(0) - torch.linspace(0, float(walk.sum()), 400)
    errors = CHANCE * (1 + 0.015 * walk / walk.abs().max())
    rows = [row(step, plateau=True, common=0.3) for step in (0, 100)]
    one = recorded(tmp_path, 0, errors.tolist(), rows, [0.1] * 400, every=1)
    several, noise, small, alike, one_by_one, _, conflict, _ = claims([one])
    assert several.holds == "partly"  # at chance, but the only one
    assert noise.holds == "no"
    assert alike.holds == "no"
    assert [small.holds, one_by_one.holds, conflict.holds] == ["undecided"] * 3


def test_curves_too_short_say_nothing(tmp_path: Path) -> None:
    one = recorded(tmp_path, 0, [0.3] * 12, [row(0, plateau=True)], [0.1] * 12, every=1)
    several, *_, alike, one_by_one, chaos, conflict, saddles = claims([one])
    assert several.holds == "no"
    assert alike.holds == "yes"
    undecided = (one_by_one, chaos, conflict, saddles)
    assert [claim.holds for claim in undecided] == ["undecided"] * 4
