"""What the experiment on frequencies finds in trainings whose frequencies are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from recorded import recorded

from badger_graph.experiments.trainings import Trained
from badger_graph.experiments.why_hard.amplitudes import Course
from badger_graph.experiments.why_hard.base import Claim
from badger_graph.experiments.why_hard.frequencies import (
    BADGER_11,
    BADGER_41,
    BINS,
    FAST_41,
    LSTM,
    Frequencies,
)

FREQUENCIES = 6

LOW_FIRST = (20, 40, 60, 80, 100, 120)
RISING_AND_FALLING = (60, 40, 20, 120, 100, 80)


def rows(known_from: Sequence[int | None], moves: float) -> list[dict[str, Any]]:
    """Measured every 20 steps up to 120; the moves get fewer with the error."""
    return [
        {
            "step": step,
            "amplitudes": {
                "in_phase": [0.95 if k is not None and step >= k else 0.1 for k in known_from]
            },
            "last_moves": moves * (2 - step / 120),
            "squared_error": 0.16 - step / 1000,
        }
        for step in range(0, 121, 20)
    ]


def trained(folder: Path, seed: int, orders: Mapping[str, Sequence[int | None]]) -> list[Trained]:
    return [
        recorded(folder, seed, [0.3], rows(orders[name], 0.01 if name == BINS else 0.5), name=name)
        for name in (LSTM, BINS, BADGER_11, BADGER_41, FAST_41)
    ]


def test_known_from_then_on() -> None:
    amplitudes = [[0.0, 0.95], [0.92, 0.8], [1.2, 1.0], [1.05, 1.05], [0.95, 1.0]]
    course = Course([0, 20, 40, 60, 80], [[*row, 0.0] for row in amplitudes])
    assert course.known_from == [60, 40, None]
    assert course.known == 2
    assert course.left == pytest.approx([0.05, 0, 1])


def test_of_known_orders(tmp_path: Path) -> None:
    never = (None,) * FREQUENCIES
    first = {LSTM: RISING_AND_FALLING, BINS: LOW_FIRST, BADGER_11: LOW_FIRST, BADGER_41: never}
    first[FAST_41] = never
    second = {**first, BADGER_11: LOW_FIRST[::-1], FAST_41: (20, 20, None, None, None, 20)}
    both = [*trained(tmp_path, 0, first), *trained(tmp_path, 1, second)]
    findings = Frequencies().findings(both)
    claims: dict[str, Claim] = {claim.says: claim for claim in findings.claims}
    assert len(claims) == len(findings.claims)
    holds = {
        name: next(claim for says, claim in claims.items() if says.endswith(f"first: {name}"))
        for name in (LSTM, BINS, BADGER_11, FAST_41)
    }
    assert holds[LSTM].holds == "no"  # somewhat, but in both
    assert holds[BINS].holds == "no"
    assert "1.00 ± 0.00 in 2 seeds" in holds[BINS].measured
    assert holds[BADGER_11].holds == "undecided"  # once low ones first, once high ones
    assert holds[FAST_41].holds == "undecided"
    assert "in 1 seeds" in holds[FAST_41].measured
    supervised, *_ = findings.claims
    assert supervised.holds == "undecided"  # trained for ten steps
    _, rest, sooner, moves, even, order, impossible = findings.claims[-7:]
    assert rest.holds == sooner.holds == moves.holds == "yes"
    assert "by 0.010 ± 0.000" in rest.measured
    assert even.holds == "undecided"
    assert order.holds == "undecided"  # a single pair of seeds
    assert "-1.00" in order.measured
    assert impossible.holds == "yes"
    assert "0, 3 of 6 (Micro-Badger, n=41, fast recipe); 6, 6 of 6" in impossible.measured
    assert all(len(cells) == len(findings.columns) for cells in findings.rows)
    assert len(findings.rows) == 6


def test_who_has_not_learned_is_not_said_to_be_at_rest(tmp_path: Path) -> None:
    """The same guess whatever is asked moves as little as that of a life that came to rest."""
    stuck = [{**row, "squared_error": 1 / 3} for row in rows((None,) * FREQUENCIES, 0.0)]
    names = (LSTM, BINS, BADGER_11, BADGER_41, FAST_41)
    claims = (
        Frequencies().findings([recorded(tmp_path, 0, [0.3], stuck, name=n) for n in names]).claims
    )
    assert [claim.holds for claim in claims[:-1]] == ["undecided"] * (len(claims) - 1)
    assert claims[-1].holds == "yes"


def test_a_badger_that_learns_all_frequencies_refutes_that_it_cannot(tmp_path: Path) -> None:
    orders = dict.fromkeys((LSTM, BINS, BADGER_11, BADGER_41, FAST_41), LOW_FIRST)
    *_, order, impossible = Frequencies().findings(trained(tmp_path, 0, orders)).claims
    assert order.holds == "undecided"  # one seed
    assert impossible.holds == "no"
