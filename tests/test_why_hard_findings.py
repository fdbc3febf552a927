"""What every experiment finds in trainings that solve, stand still, are alone or diverge, and what
those say whose tests are not files of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from bad_inputs.command_line import main_of
from command_line import succeed
from properties import seeded
from recorded import recorded

from badger_graph import plots
from badger_graph.experiments.runner import run
from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run, Training
from badger_graph.experiments.why_hard import (
    EXPERIMENTS,
    Claim,
    Findings,
    losses,
    symmetry,
)
from badger_graph.experiments.why_hard import shortest as ways_out
from badger_graph.experiments.why_hard.amplitudes import Course
from badger_graph.experiments.why_hard.base import CHANCE, all_alike
from badger_graph.experiments.why_hard.findings import Verdict
from badger_graph.experiments.why_hard.redundancy import EXPERTS
from badger_graph.experiments.why_hard.topology import (
    CONNECTIVITY,
    DISTANCE,
    FAMILIES,
    GAP,
    LINKS,
    STRONG,
    _properties,
    _strong,
)
from topologies.hardwired import RingTopology

MAX_STEPS = 3000

EVERY = 25
"""Outer steps between two rows of the log; between two measurements there are twice as many."""

Said = Callable[[int], Any]
"""What a measure gives at an outer step."""


def measurement(step: int, error: float, said: Mapping[str, Said]) -> dict[str, Any]:
    """A row with all that any experiment reads; ``said`` replaces what measures give, none leaves
    one out.
    """
    known = 1 - error / CHANCE
    given: dict[str, Any] = {
        "output_errors": [error] * 4,
        "squared_error": error,
        "mutual_information": [0.5 + step % 7 / 64, 0.4, 0.3],
        "binding_information": 1 + known,
        "total_correlation": 2 + known,
        "o_information": 1.0,
        "binding_over_life": [0.0, 1 + known],
        "binding_curve": {"binding": [0.0, 0.1], "shared": [0.0, 0.1], "redundancy": known},
        "dynamic_modes": {"rank": [2, 4], "oscillating": [0.1, 0.2], "residual": [0.3, 0.1]},
        "lyapunov": [-0.1, -0.2],
        "outputs_alike": {"size": 0.3, "common": 1.0},
        "gradient_conflict": {"negative_share": 0.5, "alignment": 0.2 + 0.5 * known},
        "hessian": {"smallest": -0.1, "largest": 1.0, "smallest_residual": 0.01},
        "amplitudes": {"in_phase": [known] * 6},
        "last_moves": 0.2 + step % 7 / 64,
        "steps_at_rest": step % 7,
    }
    given |= {name: of(step) for name, of in said.items()}
    return {"step": step, **{name: value for name, value in given.items() if value is not None}}


def lived(
    folder: Path,
    told: Training,
    left: int | None = None,
    solved: int | None = None,
    stops: int | None = None,
    diverged: bool = False,
    **said: Said,
) -> Run:
    """A training at chance until its first plateau is left, then at 0.1, from some step solved.

    Args:
        folder: where its folder goes.
        told: the training.
        left: outer step; none for never.
        solved: outer step; none for never.
        stops: when it ends; by default after all outer steps that it was told.
        diverged: whether it is said to have.
        **said: measures, see :func:`measurement`.
    """

    def error(step: int) -> float:
        if left is None or step < left:
            return CHANCE
        return 0.1 if solved is None or step < solved else 0.005

    steps = range(0, (told.max_steps if stops is None else stops) + 1, EVERY)
    noise = 1 + 0.01 * torch.randn(len(steps), generator=seeded(told.seed), dtype=torch.float64)
    logs = [float(error(step) * of) for step, of in zip(steps, noise, strict=True)][1:]
    rows = [measurement(step, error(step), said) for step in steps[::2]]
    sizes = {"every": EVERY, "max_steps": told.max_steps}
    return recorded(folder, told.seed, logs, rows, logs, name=told.name, diverged=diverged, **sizes)


# ------------------------------------------------------------------------ whatever happens


class Case(NamedTuple):
    """What becomes of the trainings of each seed, in words of :func:`lived`."""

    seeds: list[dict[str, Any]]
    drawn: bool = False


SOLVES: dict[str, Any] = {"left": 600, "solved": 1200, "stops": 1500}

CASES = {
    "all solve": Case([SOLVES, SOLVES]),
    "none leaves": Case([{}, {}]),
    "one seed": Case([SOLVES]),
    "at once": Case([{"left": EVERY, "solved": EVERY, "stops": 500}] * 2),
    "two diverge": Case(
        [SOLVES, {"stops": 3 * EVERY, "diverged": True}, {"stops": 0, "diverged": True}], True
    ),
}


def graph(one: Run) -> dict[str, float | None]:
    """A graph as well linked as its family is late in their table, but for three that are not
    strongly connected; the real one of a run that diverged.
    """
    if one.diverged:
        return _properties(one)
    place = list(FAMILIES).index(one.training.name)
    weak = ("no communication", "random, 1 in-link", "random, 2 in-links")
    heard = {DISTANCE: 20.0 - place if place else None}
    strong = {STRONG: float(one.training.name not in weak)}
    return {CONNECTIVITY: place, GAP: place / 10, LINKS: place**2, **heard, **strong}


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    why_hard = "badger_graph.experiments.why_hard"
    course = Course([0, 20, 40], [[0.0] * 6, [1.0] * 3 + [0.0] * 3, [1.0] * 6])
    monkeypatch.setattr(f"{why_hard}.frequencies._supervised", lambda training: course)
    monkeypatch.setattr(f"{why_hard}.topology._properties", graph)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_findings_whatever_happens(
    name: str, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_seeds, drawn = CASES[case]

    def train(wanted: Sequence[Training], runs: Path, jobs: int) -> list[Run]:
        return [lived(runs, told, **of_seeds[told.seed]) for told in wanted]

    monkeypatch.setattr("badger_graph.experiments.why_hard.experiment.train", train)
    if not drawn:
        blank = SimpleNamespace(savefig=lambda file: None)
        monkeypatch.setattr(plots, "panels", lambda panels: blank)
    runs = str(tmp_path / "runs")
    experiment = EXPERIMENTS[name](seeds=len(of_seeds), max_steps=MAX_STEPS, runs=runs)
    result = run(experiment, tmp_path / f"{name}.json")
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert all(len(cells) == len(result["columns"]) for cells in result["rows"])
    assert (tmp_path / f"{name}.png").is_file() == drawn
    for panel in result["panels"]:
        for curve in panel["curves"].values():
            assert {len(of_seed) for of_seed in curve["y"]} == {len(curve["x"])}
    if case == "one seed":
        assert {claim["holds"] for claim in result["claims"]} == {"undecided"}


def test_arguments_are_those_of_every_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In folders and results of their own: they are not the experiment as committed."""
    full = EXPERIMENTS["mutual_information"].full
    told: list[Training] = []

    def train(wanted: Sequence[Training], runs: Path, jobs: int) -> list[Run]:
        told.extend(wanted)
        assert runs == Path("runs/why_hard/mutual_information-config-fast")
        return [lived(runs, one, **SOLVES) for one in wanted]

    monkeypatch.setattr("badger_graph.experiments.why_hard.experiment.train", train)
    arguments = ["mutual_information", "--full", "true", "--arguments", "--config fast"]
    succeed(main_of("why_hard"), *arguments, cwd=tmp_path)
    assert len(told) == full.seeds
    assert {tuple(one.words()[-6:-4]) for one in told} == {("--config", "fast")}
    written = tmp_path / "runs" / "why_hard" / "results" / "mutual_information-config-fast.json"
    assert json.loads(written.read_text())["command"].endswith(" --arguments '--config fast'")


# --------------------------------------------------------------------------------- by hand


def of_experiment(
    name: str, folder: Path, lives: Callable[[str], dict[str, Any]], max_steps: int = MAX_STEPS
) -> Findings:
    """What an experiment finds whose trainings of a name, of two seeds, all went the same way."""
    experiment = EXPERIMENTS[name]()
    wanted = [told for seed in range(2) for told in experiment.trainings(seed, max_steps)]
    return experiment.findings([lived(folder, told, **lives(told.name)) for told in wanted])


Fresh = Iterator[Path]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """One new folder after the other."""
    return (tmp_path / str(number) for number in range(100))


def verdicts(name: str, fresh: Fresh, lives: Callable[[str], dict[str, Any]]) -> list[Verdict]:
    return [claim.holds for claim in of_experiment(name, next(fresh), lives).claims]


ALIKE = all_alike(4)


def test_mutual_information_rises_and_falls(fresh: Fresh) -> None:
    """Zeros up to 150, one number up to 500 where the error falls, or up to when it is told."""

    def found(zeros: float, alike: float, left: float, end: float, falls: int) -> list[Verdict]:
        def pairs(step: int) -> list[float]:
            later = alike if step < falls else left if step < 700 else end
            return [zeros if step < 200 else later] * 3

        def errors(step: int) -> list[float]:
            return [CHANCE if step < 200 else ALIKE if step < 500 else 0.01] * 4

        said = {"mutual_information": pairs, "output_errors": errors}
        two, _, fall, first, rise, _ = verdicts("mutual_information", fresh, lambda _: said)
        assert two == "yes"
        return [fall, first, rise]

    assert found(0.5, 1.0, 0.2, 0.2, falls=450) == ["yes", "yes", "yes"]
    assert found(0.5, 1.0, 0.2, 0.2, falls=500) == ["yes", "undecided", "yes"]
    assert found(0.5, 0.2, 1.0, 1.0, falls=500)[::2] == ["no", "no"]
    assert found(0.5, 1.0, 1.5, 0.2, falls=500)[0] == "partly"  # later


def test_one_plateau_is_not_two(fresh: Fresh) -> None:
    def errors(step: int) -> list[float]:
        return [CHANCE if step < 500 else 0.01] * 4

    two, *_ = verdicts("mutual_information", fresh, lambda _: {"output_errors": errors})
    assert two == "no"


def test_binding_within_a_life_is_held_against_the_untrained(fresh: Fresh) -> None:
    def grows(untrained: list[float], trained: list[float]) -> Verdict:
        def life(step: int) -> list[float]:
            return trained if step else untrained

        return verdicts("binding", fresh, lambda _: SOLVES | {"binding_over_life": life})[1]

    assert grows([0.0, 1.0], [0.0, 2.0]) == "yes"
    assert grows([0.0, 1.0], [0.0, 1.0]) == "partly"
    assert grows([0.0, 1.0], [1.0, 0.0]) == "no"


def test_binding_in_training_modes_and_stability(fresh: Fresh) -> None:
    def found(swings: float, exponent: float, information: float) -> list[Verdict]:
        of_rank = {"rank": [2], "oscillating": [swings], "residual": [0.1]}
        said: dict[str, Said] = {
            "dynamic_modes": lambda step: of_rank,
            "lyapunov": lambda step: [exponent if step else 0.0],
            "binding_information": lambda step: information if step else 1.0,
        }
        training, _, _, modes, stable = verdicts("binding", fresh, lambda _: SOLVES | said)
        return [training, modes, stable]

    assert found(0.05, -0.1, 2.0) == ["yes", "yes", "yes"]
    assert found(0.3, -0.1, 2.0)[1] == "no"  # a third swings
    assert found(0.7, 0.1, 0.5) == ["no", "no", "no"]


def test_redundancy_is_held_against_the_untrained(fresh: Fresh) -> None:
    def redundant(untrained: float, trained: float) -> list[Verdict]:
        def shares(step: int) -> dict[str, Any]:
            redundancy = trained if step else untrained
            return {"binding": [0.0, 0.1], "shared": [0.0, 0.1], "redundancy": redundancy}

        return verdicts("redundancy", fresh, lambda _: {"binding_curve": shares})[:2]

    assert redundant(0.1, 0.4) == ["yes", "yes"]
    assert redundant(0.4, 0.1) == ["yes", "no"]  # dominated by it, but less so than untrained
    assert redundant(-0.4, -0.1) == ["no", "yes"]
    assert redundant(-0.1, -0.4) == ["no", "no"]


def test_more_experts_may_only_slow_training_down(fresh: Fresh) -> None:
    def saturates(solved: Callable[[int], int | None]) -> list[Verdict]:
        return verdicts(
            "redundancy", fresh, lambda name: {"left": 500, "solved": solved(int(name.split()[0]))}
        )[2:4]

    assert saturates(lambda n: 600 + 10 * n) == ["yes", "yes"]
    assert saturates(lambda n: 1000) == ["yes", "undecided"]
    assert saturates(lambda n: 1600 - 10 * n) == ["undecided", "no"]
    assert saturates(lambda n: None if n < EXPERTS[-1] else 600) == ["undecided", "no"]
    assert saturates(lambda n: None) == ["undecided", "undecided"]


def test_a_plateau_that_is_only_shorter_is_not_removed(fresh: Fresh) -> None:
    def removed(left: int) -> Verdict:
        steps = {symmetry.PLAIN: 500, "own output weights": left}
        return verdicts(
            "symmetry", fresh, lambda name: {"left": steps.get(name, 500), "solved": 1000}
        )[0]

    assert removed(50) == "yes"
    assert removed(200) == "partly"
    assert removed(500) == removed(800) == "no"


def test_losses_and_optimisers_by_outer_steps(fresh: Fresh) -> None:
    def found(**solved: int | None) -> list[Verdict]:
        steps = {losses.PLAIN: 1000, "transiently chaotic": None}
        steps |= {name.replace("_", " "): step for name, step in solved.items()}
        return verdicts(
            "losses", fresh, lambda name: {"left": 300, "solved": steps.get(name, 1000)}
        )

    lstm, badger, *helps, chaos = found(PCGrad=800, UPGrad=1200, SOAP=None)
    assert [lstm, badger] == ["yes"] * 2
    assert chaos == "undecided"  # one schedule that does not do it is not all
    assert found(transiently_chaotic=500)[-1] == "no"
    assert helps[:4] == ["yes", "no", "no", "undecided"]  # the last is the log of the MSE
    assert helps[4:] == ["yes", "no", "no"]  # in CPU time: here an outer step takes the same
    assert found(**{losses.L1: 500})[:2] == ["yes", "no"]
    assert found(**{losses.LSTM_L1: 500})[:2] == ["no", "yes"]
    nobody = verdicts("losses", fresh, lambda name: {"left": 300})
    assert set(nobody) == {"undecided"}


def test_topologies_by_how_well_they_are_linked(fresh: Fresh) -> None:
    """The properties of :func:`graph` rise in the table of families, and the distance falls."""
    places = {name: place for place, name in enumerate(FAMILIES)}

    def found(step: Callable[[str], int | None]) -> list[Verdict]:
        return verdicts("topology", fresh, lambda name: {"left": 100, "solved": step(name)})

    without, _, *with_properties = found(lambda name: 2000 - 100 * places.get(name, 0))
    assert without == "yes"
    assert with_properties == ["yes"] * 4
    _, _, *with_properties = found(lambda name: 500 + 100 * places.get(name, 0))
    assert with_properties == ["no"] * 4
    weak = ("no communication", "random, 1 in-link", "random, 2 in-links")
    assert found(lambda name: None if name in weak else 500)[1] == "yes"
    assert found(lambda name: 500)[1] == "no"
    assert set(found(lambda name: None)[1:]) == {"undecided"}
    assert found(lambda name: None)[0] == "no"


def test_properties_of_a_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both neighbours are heard; the Laplacian's second eigenvalue is 2 - 2 cos(2 pi / 16)."""
    one = recorded(tmp_path, 0, [0.1])
    assert set(_properties(one).values()) == {None}
    one.checkpoint.parent.mkdir()
    one.checkpoint.touch()
    monkeypatch.setattr(
        "badger_graph.experiments.why_hard.topology.load_agent",
        lambda checkpoint: SimpleNamespace(topology=RingTopology()),
    )
    found = _properties(one)
    assert found[DISTANCE] == 3
    assert found[LINKS] == 2
    assert found[STRONG] == 1
    assert found[CONNECTIVITY] == pytest.approx(2 - 2 * math.cos(math.pi / 8), rel=1e-3)


def test_the_best_way_out_must_be_better_than_the_second(fresh: Fresh) -> None:
    def found(**left: int) -> list[Claim]:
        steps = {ways_out.PLAIN: 1500} | {name.replace("_", " "): at for name, at in left.items()}

        def lives(name: str) -> dict[str, Any]:
            alignment = 0.6 if name == "curriculum in d" else 0.2
            conflict = {"negative_share": 0.5, "alignment": alignment}
            growth = 2.0 if name == "--config fast" else 0.9

            def alike(step: int) -> dict[str, float]:
                return {"size": 0.01 * growth ** (step / 100), "common": 1.0}

            return {
                "left": steps.get(name, 1000),
                "outputs_alike": alike,
                "solved": 2500 if name in ways_out.TOGETHER else 1800,
                "gradient_conflict": lambda step: conflict,
            }

        return of_experiment("shortest", next(fresh), lives).claims

    best, together, solved, sooner, on_top, agree, grow = found(SOAP=500)
    assert "'SOAP'" in best.says
    assert "saved 500 ± 0 against the second, 1000 ± 0 against plain" in best.measured
    others = (together, solved, sooner, agree, grow)
    assert [claim.holds for claim in (best, *others)] == ["yes"] * 6
    assert "a factor of 0.90 ± 0.00, with --config fast of 2.00 ± 0.00" in grow.measured
    assert on_top.holds == "undecided"
    assert found(SOAP=500, exponential_update=500)[0].holds == "undecided"


def test_what_leaves_the_plateau_before_gradients_are_measured_has_no_reason(
    tmp_path: Path,
) -> None:
    conflict = {"negative_share": 0.5, "alignment": 0.2}

    def lives(name: str) -> dict[str, Any]:
        left = 50 if name == "curriculum in d" else 500
        return {"left": left, "gradient_conflict": lambda step: None if step % 100 else conflict}

    findings = of_experiment("shortest", tmp_path, lives)
    cells = {row[0]: row[-4:] for row in findings.rows}
    assert cells["curriculum in d"] == ["-"] * 4
    assert cells["SOAP"] == ["0.50 ± 0.00", "0.20 ± 0.00", "1.00 ± 0.00", "1.00 ± 0.00"]
    assert findings.claims[-2].holds == "undecided"


def test_twenty_numbers_are_not_solved_in_too_few_steps(tmp_path: Path) -> None:
    found = of_experiment("shortest", tmp_path, lambda name: {"left": 500}, max_steps=1000)
    assert found.claims[2].holds == "undecided"


@pytest.mark.parametrize(
    ("strong", "weak", "verdict"),
    [
        (True, False, "yes"),
        (True, True, "no"),  # the others do as well
        (False, True, "no"),
        (False, False, "undecided"),
    ],
)
def test_strong_connection_is_needed_when_nothing_else_will_do(
    strong: bool, weak: bool, verdict: str
) -> None:
    graphs = {n: [{STRONG: float(n != "ring"), DISTANCE: 2.0}] * 2 for n in FAMILIES}
    steps = {n: [100 if (weak if n == "ring" else strong) else None] * 2 for n in FAMILIES}
    assert _strong(graphs, steps).holds == verdict
    alone = {name: found[:1] for name, found in steps.items()}
    assert _strong(graphs, alone).holds == "undecided"


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ([100, None, 900, 200], "200 (100-900), 3 of 4"),
        ([300, 100, 800, 200], "250 (100-800)"),
        ([40], "40"),
        ([None, None], "0 of 2"),
    ],
)
def test_steps_are_shown_by_their_median_and_range(steps: list[int | None], shown: str) -> None:
    assert median_steps(steps) == shown
