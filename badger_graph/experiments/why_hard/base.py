"""What every experiment of the second seed is: trainings, and what they say about a claim."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from scipy.stats import spearmanr

from badger_graph.experiments.error_bars import interval
from badger_graph.experiments.trainings import Trained, Training


class Scale(NamedTuple):
    """How much is trained: seeds of each training, and outer steps at most."""

    seeds: int
    max_steps: int


CHANCE = 1 / 3
"""The error of always guessing zero."""

LEFT = 0.9 * CHANCE
"""The first plateau is left when the error is below this."""

Verdict = Literal["yes", "no", "partly", "undecided"]


class Claim(NamedTuple):
    """What was claimed, what was measured, and whether it holds."""

    says: str
    measured: str
    holds: Verdict


class Panel(NamedTuple):
    """Curves to draw; see :func:`badger_graph.plots.panels`."""

    title: str
    x: str
    y: str
    curves: dict[str, dict[str, Any]]
    log: bool = False
    lines: Mapping[str, float] = {}


class Findings(NamedTuple):
    """What came out, all plain data.

    Attributes:
        claims: of the blog, each with its verdict.
        panels: the figure.
        columns: heads of the table.
        rows: the table.
        numbers: what else was measured.
    """

    claims: list[Claim]
    panels: list[Panel]
    columns: list[str]
    rows: list[list[str]]
    numbers: dict[str, Any]


class Experiment(ABC):
    """One question about training, answered by trainings of several seeds."""

    title: ClassVar[str]
    question: ClassVar[str]
    """What is asked, for a reader who never saw the blog."""

    short: ClassVar[Scale]
    """Within a quarter of an hour on two cores."""

    full: ClassVar[Scale]
    """What the committed results are made with."""

    @abstractmethod
    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        """What is trained with a seed."""

    @abstractmethod
    def findings(self, trained: Sequence[Trained]) -> Findings:
        """What the trainings of all seeds say."""


def by_name(trained: Sequence[Trained]) -> dict[str, list[Trained]]:
    """The trainings of each name, one a seed."""
    groups: dict[str, list[Trained]] = {}
    for one in trained:
        groups.setdefault(one.training.name, []).append(one)
    return groups


Series = tuple[list[int], list[float]]
"""Outer steps, and a number at each."""


def logged(column: str) -> Callable[[Trained], Series]:
    """Reads a column of the log of a training."""
    return lambda one: one.logged(column)


def taken(one: Trained, measure: str) -> tuple[list[int], list[Any]]:
    """A measure along a training: the outer steps at which it was taken, and what it gave.

    Raises:
        ValueError: when it never was.
    """
    measured = one.measured()
    rows = [row for row in measured if measure in row]
    if not rows:
        others = ", ".join(
            dict.fromkeys(name for row in measured for name in row if name != "step")
        )
        raise ValueError(
            f"{str(one.folder)!r} must have measured {measure!r}, got only {others or 'nothing'}"
        )
    return [row["step"] for row in rows], [row[measure] for row in rows]


def measured(
    measure: str, number: Callable[[Any], float] = lambda given: given
) -> Callable[[Trained], Series]:
    """Reads a number of what a measure gave along a training."""

    def read(one: Trained) -> Series:
        steps, given = taken(one, measure)
        return steps, [number(one) for one in given]

    return read


error = logged("train/error")
"""The error at the last inner step of the batch of an outer step, of every tenth."""


squared_error = measured("squared_error")
"""That of the same tasks in all trainings, whatever they minimise."""

mean_error = measured("output_errors", statistics.mean)
"""The error on the same tasks during training."""


def curve(
    trained: Sequence[Trained], read: Callable[[Trained], Series], window: int = 1
) -> dict[str, Any]:
    """A number along the training of some seeds, in means over ``window`` rows; a seed that stopped
    sooner than others has no values from there on.
    """
    curves = [_means(*read(one), window) for one in trained]
    places = sorted({step for steps, _ in curves for step in steps})
    tables = [dict(zip(*pair, strict=True)) for pair in curves]
    return {"x": places, "y": [[table.get(place) for place in places] for table in tables]}


def reached(
    trained: Sequence[Trained],
    level: float,
    read: Callable[[Trained], Series] = error,
    window: int = 5,
) -> list[int | None]:
    """The first outer step up to which ``window`` rows are in the mean at or below a level; a seed
    each, none where a seed never gets there.
    """
    found: list[int | None] = []
    for one in trained:
        steps, values = read(one)
        last = range(window - 1, len(values))
        below = (k for k in last if statistics.mean(values[k - window + 1 : k + 1]) <= level)
        found.append(next((steps[k] for k in below), None))
    return found


def lowest(
    trained: Sequence[Trained], read: Callable[[Trained], Series] = error, window: int = 5
) -> list[float]:
    """The lowest mean over ``window`` rows, or over all where there are fewer; a seed each."""
    found = []
    for one in trained:
        _, values = read(one)
        starts = range(max(1, len(values) - window + 1))
        found.append(min(statistics.mean(values[k : k + window]) for k in starts))
    return found


class Correlation(NamedTuple):
    """Spearman's rank correlation, and how probable one as far from zero is by chance."""

    rho: float
    p_value: float


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> Correlation | None:
    """None where it says nothing: for fewer than five pairs, or when one of the two is constant."""
    if len(first) < 5 or min(len(set(first)), len(set(second))) < 2:
        return None
    found = spearmanr(first, second)
    return Correlation(float(found.statistic), float(found.pvalue))


def with_error(trained: Sequence[Trained], read: Callable[[Trained], Series]) -> list[float]:
    """The rank correlation of a measure with the error on the same tasks during training, of each
    seed for which there is one; before training does not count.
    """
    found = []
    for one in trained:
        of_step = dict(zip(*read(one), strict=True))
        errors = dict(zip(*mean_error(one), strict=True))
        steps = [step for step in of_step if step > 0 and step in errors]
        pair = rank_correlation([of_step[s] for s in steps], [errors[s] for s in steps])
        found += [] if pair is None else [pair.rho]
    return found


def sign_claim(says: str, measured: str, values: Sequence[float]) -> Claim:
    """A claim that numbers are above zero; undecided where there are none."""
    if not values:
        return Claim(says, "too short to tell", "undecided")
    return Claim(says, measured.format(shown(values, 2)), positive(values))


def positive(values: Sequence[float]) -> Verdict:
    """Whether a number is above zero: by its 95% interval over seeds; one seed decides nothing."""
    if len(values) < 2:
        return "undecided"
    mean, half = interval(values)
    if mean - half > 0:
        return "yes"
    return "no" if mean + half < 0 else "undecided"


def absent(values: Sequence[float], margin: float) -> Verdict:
    """Whether a number is not above zero: its 95% interval must end below a margin.

    That nothing was found in a few seeds does not show that there is nothing.
    """
    if positive(values) == "yes":
        return "no"
    mean, half = interval(values)
    return "yes" if len(values) > 1 and mean + half < margin else "undecided"


def in_all(count: int, total: int) -> Verdict:
    """Whether something holds in all of so many cases, in some, or in none."""
    if not total:
        return "undecided"
    return "yes" if count == total else "partly" if count else "no"


def shown(values: Sequence[float], digits: int = 3) -> str:
    """The mean over seeds and its 95% interval, in words; of one seed there is none."""
    mean, half = interval(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def shown_steps(steps: Sequence[int | None]) -> str:
    """The median number of outer steps of those seeds that got there, with the range."""
    known = [step for step in steps if step is not None]
    if not known:
        return f"0 of {len(steps)}"
    median = f"{statistics.median(known):.0f}"
    span = f" ({min(known)}-{max(known)})" if len(known) > 1 else ""
    share = f", {len(known)} of {len(steps)}" if len(known) < len(steps) else ""
    return median + span + share


def _means(steps: Sequence[int], values: Sequence[float], window: int) -> Series:
    ends = range(window, len(values) + 1, window)
    return [steps[k - 1] for k in ends], [statistics.mean(values[k - window : k]) for k in ends]
