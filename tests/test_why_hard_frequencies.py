"""What the experiment on frequencies finds in trainings whose frequencies are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from recorded import recorded

from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard import frequencies
from badger_graph.experiments.why_hard.amplitudes import Course
from badger_graph.experiments.why_hard.findings import Claim
from badger_graph.experiments.why_hard.frequencies import (
    BADGER_11,
    BADGER_41,
    BINS,
    FAST_41,
    LSTM,
    SUPERVISED,
    Frequencies,
    _at_random,
    _impossible,
)
from badger_graph.experiments.why_hard.frequencies import _supervised as supervised_course

NAMES = (LSTM, BINS, BADGER_11, BADGER_41, FAST_41)

FREQUENCIES = 6

LOW_FIRST = (20, 40, 60, 80, 100, 120)
RISING_AND_FALLING = (60, 40, 20, 120, 100, 80)


TOGETHER = (60, 60, 60, 80, 80, 80)

NEVER = (None,) * FREQUENCIES


@pytest.fixture(autouse=True)
def supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that learns low frequencies first, in all seeds."""
    monkeypatch.setattr(frequencies, "_supervised", lambda training: course(LOW_FIRST))


def rows(known_from: Sequence[int | None], moves: float) -> list[dict[str, Any]]:
    """Measured every 20 steps up to 200; the moves get fewer with the error."""
    return [
        {
            "step": step,
            "amplitudes": {
                "in_phase": [0.95 if k is not None and step >= k else 0.1 for k in known_from]
            },
            "last_moves": moves * (2 - step / 200),
            "steps_at_rest": step // 20,
            "squared_error": 0.16 - step / 2000,
        }
        for step in range(0, 201, 20)
    ]


def course(known_from: Sequence[int | None]) -> Course:
    """That of a learner with these rows."""
    measured = rows(known_from, 0.0)
    amplitudes = [row["amplitudes"]["in_phase"] for row in measured]
    return Course([row["step"] for row in measured], amplitudes)


def trained(folder: Path, seed: int, orders: Mapping[str, Sequence[int | None]]) -> list[Run]:
    """One training a learner; those that are not named never learn."""
    moves = dict.fromkeys(NAMES, 0.5) | {BINS: 0.01}
    return [
        recorded(folder, seed, [0.3], rows(orders.get(name, NEVER), moves[name]), name=name)
        for name in NAMES
    ]


def holds(claims: Sequence[Claim], end: str) -> Claim:
    """The one claim whose words end so."""
    (found,) = (claim for claim in claims if claim.says.endswith(end))
    return found


def test_courses_by_hand() -> None:
    """Learned from half of right on, even if it is lost again; known by the last three records."""
    amplitudes = [[0.0, 0.95], [0.92, 0.8], [1.2, 1.0], [1.05, 1.05], [0.95, 1.0]]
    one = Course([0, 20, 40, 60, 80], [[*row, 0.4] for row in amplitudes])
    assert one.learned_at == [20, 0, None]
    assert one.order == [20, 0, 81]
    assert one.spread is None
    assert one.left == pytest.approx([0.05, 0, 0.6])
    assert one.num_known == 2
    lost = Course([0, 20, 40, 60], [[0.0, 0.0], [0.5, 0.0], [0.0, 0.6], [0.0, 0.9]])
    assert lost.learned_at == [20, 40]
    assert lost.spread == pytest.approx(20 / 30)
    assert lost.left == pytest.approx([1, 0.4])
    assert lost.num_known == 0


def test_of_known_orders(tmp_path: Path) -> None:
    first = {LSTM: RISING_AND_FALLING, BINS: LOW_FIRST, BADGER_11: LOW_FIRST}
    second = {**first, BADGER_11: LOW_FIRST[::-1], FAST_41: (20, 20, None, None, None, 20)}
    both = [*trained(tmp_path, 0, first), *trained(tmp_path, 1, second)]
    findings = Frequencies().findings(both)
    claims = findings.claims
    assert len({claim.says for claim in claims}) == len(claims)
    assert holds(claims, f"first: {SUPERVISED}").holds == "yes"
    assert holds(claims, f"first: {LSTM}").holds == "no"  # somewhat, but in both
    bins = holds(claims, f"first: {BINS}")
    assert bins.holds == "no"
    assert "1.00 ± 0.00 in 2 seeds" in bins.measured
    assert holds(claims, f"first: {BADGER_11}").holds == "undecided"  # once low, once high ones
    fast = holds(claims, f"first: {FAST_41}")
    assert fast.holds == "undecided"
    assert "in 1 seeds" in fast.measured
    _, rest, sooner, moves, even, apart, order, impossible = claims[-8:]
    assert rest.holds == sooner.holds == moves.holds == "yes"
    assert "by 0.010 ± 0.000" in rest.measured
    assert even.holds == "undecided"
    assert apart.holds == "undecided"  # as far as those of the LSTM
    assert "1.43 ± 0.00, LSTM meta-learner 1.43 ± 0.00" in apart.measured
    assert order.holds == "undecided"  # two seeds are a single pair
    assert impossible.holds == "yes"
    assert "0, 3 of 6 (Micro-Badger, n=41, fast recipe); 6, 6 of 6" in impossible.measured
    assert all(len(cells) == len(findings.columns) for cells in findings.rows)
    assert len(findings.rows) == 6


@pytest.mark.parametrize(
    ("lstm", "verdict"),
    [
        (TOGETHER, "yes"),
        (LOW_FIRST, "undecided"),  # as far apart as those of the supervised learner
        ((20, 20, 40, 40, 200, 200), "no"),
        ((20, 20, 40, 40, 200, None), "undecided"),
    ],
)
def test_all_together_is_less_spread_than_the_supervised(
    tmp_path: Path, lstm: Sequence[int | None], verdict: str
) -> None:
    """Which needs from 20 to 120, with a median of 70."""
    both = [one for seed in range(2) for one in trained(tmp_path, seed, {LSTM: lstm})]
    claim = holds(Frequencies().findings(both).claims, f"same time: {LSTM}")
    assert claim.holds == verdict
    known = None not in lstm
    assert (f"{SUPERVISED} 1.43 ± 0.00" if known else "no run learned all") in claim.measured


def test_orders_of_seeds_that_have_nothing_in_common() -> None:
    """By threes of pairs of frequencies, each seed begins with another pair."""
    turned = [(20, 40, 60, 80, 100, 120), (60, 80, 100, 120, 20, 40), (100, 120, 20, 40, 60, 80)]
    assert _at_random([course(order) for order in turned]).holds == "yes"
    assert _at_random([course(LOW_FIRST)] * 3).holds == "no"
    assert _at_random([course(turned[0]), course(turned[1])]).holds == "undecided"
    assert _at_random([course(NEVER)] * 3).holds == "undecided"


def test_who_has_not_learned_is_not_said_to_be_at_rest(tmp_path: Path) -> None:
    """The same guess whatever is asked moves as little as that of a life that came to rest."""
    stuck = [{**row, "squared_error": 1 / 3} for row in rows(NEVER, 0.0)]

    both = [recorded(tmp_path, seed, [0.3], stuck, name=n) for seed in range(2) for n in NAMES]
    supervised, *undecided, impossible = Frequencies().findings(both).claims
    assert supervised.holds == impossible.holds == "yes"
    assert {claim.holds for claim in undecided} == {"undecided"}


def test_a_badger_that_learns_all_frequencies_refutes_that_it_cannot() -> None:
    """Of the two recipes the better one counts; one seed decides nothing."""

    def impossible(*seeds: Sequence[int | None]) -> str:
        fast = [course(order) for order in seeds]
        slow = [course(NEVER) for _ in seeds]
        return _impossible({FAST_41: fast, BADGER_41: slow, BADGER_11: fast}).holds

    assert impossible(LOW_FIRST, LOW_FIRST) == "no"
    assert impossible(LOW_FIRST, NEVER) == "partly"
    assert impossible(NEVER, (*LOW_FIRST[1:], None)) == "yes"
    assert impossible(LOW_FIRST) == impossible(NEVER) == "undecided"


def test_the_supervised_learner_is_trained_once_and_as_long_as_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = recorded(tmp_path, 0, [0.3], name=LSTM, max_steps=21)
    one = supervised_course(beside)
    assert one.steps == [0, 20]
    assert len(one.left) == 20  # 41 samples
    assert one.amplitudes[0] == pytest.approx([0] * 20, abs=0.1)
    monkeypatch.setattr(frequencies, "train_supervised", None)
    assert supervised_course(beside) == one
