"""What experiments read of trainings, and when it shows something."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from scipy.stats import spearmanr

from badger_graph.analysis.seeds import interval
from badger_graph.experiments.trainings import Run, first_below
from badger_graph.experiments.why_hard.findings import Claim, Panel, Verdict

CHANCE = 1 / 3
"""The error of always guessing zero."""

LEFT = 0.9 * CHANCE
"""The first plateau is left when the error is below this."""

LEARNED = 0.1
"""Below this the plateau is left, too, on which all outputs guess one number: it is at
:func:`all_alike`.
"""

SOLVED = 0.01
"""The game is solved when the error is below this."""


def all_alike(num_outputs: int) -> float:
    r"""The error of the best guess that is one number for all outputs, their mean.

    .. math:: \tfrac{1}{3} (1 - 1/d)
    """
    return CHANCE * (1 - 1 / num_outputs)


def by_name(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The trainings of each name, one a seed."""
    groups: dict[str, list[Run]] = {}
    for one in runs:
        groups.setdefault(one.training.name, []).append(one)
    return groups


Series = tuple[list[int], list[float]]
"""Outer steps, and a number at each."""


def log_column(column: str) -> Callable[[Run], Series]:
    """Reads a column of the log of a training."""
    return lambda one: one.log_column(column)


def measurements_of(one: Run, measure: str) -> tuple[list[int], list[Any]]:
    """A measure along a training: the outer steps at which it was taken, and what it gave.

    Raises:
        ValueError: when it never was.
    """
    measurements = one.measurements()
    rows = [row for row in measurements if measure in row]
    if not rows:
        others = ", ".join(
            dict.fromkeys(name for row in measurements for name in row if name != "step")
        )
        raise ValueError(
            f"{str(one.folder)!r} must have measured {measure!r}, got only {others or 'nothing'}"
        )
    return [row["step"] for row in rows], [row[measure] for row in rows]


def measurement(
    measure: str, number: str | Callable[[Any], float] = lambda values: values
) -> Callable[[Run], Series]:
    """Reads a number of what a measure gave along a training: a part by its name, or what a
    function makes of it.
    """
    of = itemgetter(number) if isinstance(number, str) else number

    def read(one: Run) -> Series:
        steps, values = measurements_of(one, measure)
        return steps, [of(value) for value in values]

    return read


error = log_column("train/error")
"""The error at the last inner step of the batch of an outer step, of every tenth."""


squared_error = measurement("squared_error")
"""That of the same tasks in all trainings, whatever they minimise."""

mean_error = measurement("output_errors", statistics.mean)
"""The error on the same tasks during training."""


def curve(runs: Sequence[Run], read: Callable[[Run], Series], window: int = 1) -> dict[str, Any]:
    """A number along the training of some seeds, in means over ``window`` rows; a seed that stopped
    sooner than others, as it had solved the game, keeps its last value; one that diverged has none
    from there on.
    """
    tables = [dict(zip(*_means(*read(one), window), strict=True)) for one in runs]
    places = sorted({step for table in tables for step in table})
    rows = [
        [table.get(place) for place in places] if one.diverged else _carried_on(table, places)
        for one, table in zip(runs, tables, strict=True)
    ]
    return {"x": places, "y": rows}


def plateaus_panel(runs: Sequence[Run], num_outputs: int) -> Panel:
    """The error in training, beside those of the two plateaus."""
    return Panel(
        "Error",
        "outer step",
        "MSE at the last step",
        {"error": curve(runs, error, 5)},
        log=True,
        log_x=True,
        lines={"chance": CHANCE, "one number for all": all_alike(num_outputs)},
    )


def steps_to_level(
    runs: Sequence[Run],
    level: float,
    read: Callable[[Run], Series] = error,
    window: int = 5,
) -> list[int | None]:
    """The first outer step up to which ``window`` rows are in the mean at or below a level; a seed
    each, none where a seed never gets there.
    """
    arrivals: list[int | None] = []
    for one in runs:
        steps, values = read(one)
        last = range(window - 1, len(values))
        below = (k for k in last if statistics.mean(values[k - window + 1 : k + 1]) <= level)
        arrivals.append(next((steps[k] for k in below), None))
    return arrivals


def lowest(runs: Sequence[Run]) -> list[float]:
    """The lowest error on the same tasks; a seed each."""
    return [min(squared_error(one)[1]) for one in runs]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's; none where it says nothing: for fewer than five pairs, or a constant series."""
    if len(first) < 5 or min(len(set(first)), len(set(second))) < 2:
        return None
    return float(spearmanr(first, second).statistic)


def partial_rank_correlation(
    first: Sequence[float], second: Sequence[float], third: Sequence[float]
) -> float | None:
    r"""Spearman's of two series beyond what both have with a third.

    .. math::
        \frac{\rho_{12} - \rho_{13} \rho_{23}}{\sqrt{(1 - \rho_{13}^2)(1 - \rho_{23}^2)}}

    Two series that both drift with time are correlated whatever they are; given the time they
    are not. None where it says nothing.
    """
    pairs = ((first, second), (first, third), (second, third))
    rhos = [rho for pair in pairs if (rho := rank_correlation(*pair)) is not None]
    if len(rhos) < 3 or max(abs(rho) for rho in rhos[1:]) > 1 - 1e-9:
        return None
    both, of_first, of_second = rhos
    return (both - of_first * of_second) / math.sqrt((1 - of_first**2) * (1 - of_second**2))


def with_error(runs: Sequence[Run], read: Callable[[Run], Series]) -> list[float]:
    """The partial rank correlation of a measure with the error on the same tasks, given the outer
    step, until the game is solved; of each seed for which there is one.
    """
    correlations = []
    for one in runs:
        of_step, errors = (dict(zip(*of(one), strict=True)) for of in (read, mean_error))
        solution_step = first_below(list(errors), list(errors.values()), SOLVED)
        steps = [s for s in of_step if 0 < s <= (solution_step or s) and s in errors]
        values = [of_step[s] for s in steps]
        rho = partial_rank_correlation(values, [errors[s] for s in steps], steps)
        correlations += [] if rho is None else [rho]
    return correlations


def sign_claim(says: str, evidence: str, numbers: Sequence[float | None]) -> Claim:
    """A claim that numbers are above zero, of seeds that have one; undecided where none has."""
    values = [number for number in numbers if number is not None]
    measured = evidence.format(estimate(values, 2)) if values else "too short to tell"
    return Claim(says, measured, positive(values))


def less(values: Sequence[float], than: Sequence[float]) -> list[float]:
    """By how much, seed by seed."""
    return [b - a for a, b in zip(values, than, strict=True)]


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
    if len(values) < 2:
        return "undecided"
    mean, half = interval(values)
    return "no" if mean > half else "yes" if mean + half < margin else "undecided"


def near_zero(values: Sequence[float], margin: float) -> Verdict:
    """Whether a number is as good as zero: its 95% interval must lie within a margin to both sides.

    That zero lies in the interval, too, does not show it; that it does not refutes it.
    """
    if len(values) < 2:
        return "undecided"
    mean, half = interval(values)
    if abs(mean) + half < margin:
        return "yes"
    return "no" if abs(mean) > half else "undecided"


def in_all(count: int, total: int) -> Verdict:
    """Whether something holds in all of so many cases, in some, or in none; one decides nothing."""
    if total < 2:
        return "undecided"
    return "yes" if count == total else "partly" if count else "no"


def estimate(values: Sequence[float], digits: int = 3) -> str:
    """The mean over seeds and its 95% interval, in words; of one seed there is none, of none
    nothing.
    """
    if not values:
        return "-"
    mean, half = interval(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _carried_on(table: Mapping[int, float], places: Sequence[int]) -> list[float | None]:
    values: list[float | None] = []
    for place in places:
        values.append(table.get(place, values[-1] if values else None))
    return values


def _means(steps: Sequence[int], values: Sequence[float], window: int) -> Series:
    ends = range(window, len(values) + 1, window)
    return [steps[k - 1] for k in ends], [statistics.mean(values[k - window : k]) for k in ends]
