"""The experiments of the second seed: trainings once, findings by hand, and a page of them."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from bad_inputs.command_line import main_of
from command_line import ROOT, refuse
from matplotlib.axes import Axes
from matplotlib.text import Text
from properties import assert_refused, seeded
from recorded import recorded

from badger_graph import plots
from badger_graph.cli import DIVERGED, saying_what_is_wrong
from badger_graph.experiments.paper.error_bars import interval
from badger_graph.experiments.runner import run
from badger_graph.experiments.trainings import Training, train
from badger_graph.experiments.why_hard import (
    EXPERIMENTS,
    Claim,
    Findings,
    Scale,
    TrainingExperiment,
    base,
    shortest,
)
from badger_graph.experiments.why_hard.page import TEMPLATE, page
from badger_graph.experiments.why_hard.rejudged import JUDGES, rejudge
from badger_graph.outer.finite import NonFiniteLossError

SMOKE = "--config smoke --topology.seed {seed} --batch_size 4"

WORDS_OF_TABLES = (
    *("expert", "in-links", "life", "inner step", "outer step", "chance", "plateau", "nats"),
    *("total correlation", "binding information", "O-information", "redundancy", "(shuffled)"),
    *("Hurst exponent", "Lyapunov exponent", "of their size", *shortest.WHY[1:]),
)

FIVE_SEEDS = ("mutual_information", "binding", "symmetry", "topology")

COMMITTED = sorted((ROOT / "results" / "why_hard").glob("*.json"))


# --------------------------------------------------------------------------------- trainings


def test_trained_once_and_kept(tmp_path: Path) -> None:
    training, said = Training("two experts!", SMOKE, seed=3, max_steps=4), []
    (first,) = train([training], tmp_path, say=said.append)
    assert first.folder == tmp_path / "two-experts-4-3"
    assert first.checkpoint.is_file()
    assert first.cpu_seconds >= 0
    before = first.checkpoint.stat().st_mtime_ns
    (again,) = train([training], tmp_path, say=said.append)
    assert again == first
    assert first.checkpoint.stat().st_mtime_ns == before
    assert said == [str(first.folder)]
    other = training._replace(arguments=SMOKE + " --topology ring")
    assert_refused("gone on with as it was begun", lambda: train([other], tmp_path))


def test_a_configuration_that_changed_is_another_training(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("model:\n  sizes: {num_steps: 4}\n")
    mine = Training("mine", f"{SMOKE} --config {config}", seed=0, max_steps=2)
    train([mine], tmp_path)
    config.write_text("model:\n  sizes: {num_steps: 4} # as before\n")
    train([mine], tmp_path)
    config.write_text("model:\n  sizes: {num_steps: 5}\n")
    assert_refused("mine.yaml said .* 4}}} and now .* 5}}}", lambda: train([mine], tmp_path))


def test_a_training_that_fails_says_why_and_may_be_told_anew(tmp_path: Path) -> None:
    wrong = Training("once", f"{SMOKE} --topology.k 50", seed=0, max_steps=2)
    with pytest.raises(ValueError, match=r"(?s)failed.*out\.txt.*k must be"):
        train([wrong], tmp_path)
    (mended,) = train([wrong._replace(arguments=SMOKE)], tmp_path)
    assert mended.checkpoint.is_file()


def test_a_training_that_diverges_is_done(tmp_path: Path) -> None:
    """Weights of 1e30 give no finite loss in the next outer step, long before a checkpoint."""
    told = SMOKE + " --optimizer.lr 1e30 --trainer.log_every_n_steps 1"
    wild, said = Training("wild", told, seed=0, max_steps=20), []
    (first,) = train([wild], tmp_path, say=said.append)
    assert first.diverged
    assert json.loads((first.folder / "done.json").read_text())["diverged"] is True
    assert "must be finite, got nan at outer step 1" in (first.folder / "out.txt").read_text()
    assert said == [f"{first.folder} diverged"]
    steps, errors = first.log_column("train/error")
    assert steps == [1]
    assert errors[0] < 1
    (again,) = train([wild], tmp_path, say=said.append)
    assert again == first
    assert len(said) == 1


def test_status_of_divergence_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for error, status in ((NonFiniteLossError("a"), DIVERGED), (ValueError("b"), 2)):
        with pytest.raises(SystemExit) as stop, saying_what_is_wrong():
            raise error
        assert stop.value.code == status
    assert capsys.readouterr().err == "error: a\nerror: b\n"


def test_logs_of_a_resumed_run_are_one(tmp_path: Path) -> None:
    """What a piece trained beyond its last checkpoint gives way to the next piece."""
    one = recorded(tmp_path, 0, [1.0, 2.0, 3.0])
    later = one.folder / "logs" / "version_1"
    later.mkdir()
    (later / "metrics.csv").write_text("step,train/error\n19,7.0\n29,8.0\n39,9.0\n")
    assert one.log_column("train/error") == ([10, 20, 30, 40], [1.0, 7.0, 8.0, 9.0])


# ---------------------------------------------------------------------------------- by hand


def test_curves_and_steps_by_hand(tmp_path: Path) -> None:
    fast = recorded(tmp_path, 0, [0.4, 0.2, 0.2, 0.0, 0.0])
    slow = recorded(tmp_path, 1, [0.4, 0.4, 0.4])
    assert base.curve([fast, slow], base.error, window=2) == {
        "x": [20, 40],
        "y": [[pytest.approx(0.3), pytest.approx(0.1)], [pytest.approx(0.4)] * 2],
    }
    wild = slow._replace(diverged=True)
    assert base.curve([fast, wild], base.error, window=2)["y"][1] == [pytest.approx(0.4), None]
    assert base.curve([recorded(tmp_path, 2, [])], base.error) == {"x": [], "y": [[]]}
    assert base.steps_to_level([fast, slow], 0.2, window=2) == [30, None]
    assert base.steps_to_level([fast], 0.1, window=1) == [40]


def test_interval_and_sign_by_hand() -> None:
    """Student's t of two degrees of freedom: 4.303 standard errors."""
    mean, half = interval([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.303 / 3**0.5, rel=1e-3))
    assert interval([5.0]) == (5.0, 0.0)
    assert base.positive([1.0, 1.1, 1.2]) == "yes"
    assert base.positive([-1.0, -1.1, -1.2]) == "no"
    assert base.positive([1.0, 2.0, 3.0]) == "undecided"
    assert base.positive([1.0]) == "undecided"
    assert base.estimate([1.0]) == "1.000"
    assert base.absent([-0.1, 0.1], margin=2.0) == "yes"  # 0 ± 1.27
    assert base.absent([-0.1, 0.1], margin=1.0) == "undecided"
    assert base.absent([0.9, 1.1, 1.0], margin=2.0) == "no"  # small, but there
    assert base.absent([0.0], margin=2.0) == "undecided"
    assert base.near_zero([-0.1, 0.1], margin=2.0) == "yes"  # 0 ± 1.27
    assert base.near_zero([-0.1, 0.1], margin=1.0) == "undecided"
    assert base.near_zero([0.9, 1.1, 1.0], margin=0.5) == "no"
    assert base.near_zero([0.0], margin=2.0) == "undecided"
    assert [base.in_all(count, 2) for count in (2, 1, 0)] == ["yes", "partly", "no"]
    assert [base.in_all(1, 1), base.in_all(0, 1), base.in_all(0, 0)] == ["undecided"] * 3


def test_correlations_that_say_nothing() -> None:
    rising = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert base.rank_correlation(rising, [x**2 for x in rising]) == pytest.approx(1)
    assert base.rank_correlation(rising, [1.0] * 5) is None
    assert base.rank_correlation(rising[:4], rising[:4]) is None
    assert base.sign_claim("a", "b {}", []) == Claim("a", "too short to tell", "undecided")


def test_partial_rank_correlation_by_hand() -> None:
    """Of d squared differences in five ranks, 1 - d / 20: here 0.8, 0.9 and 0.9."""
    first, second, time = [2, 1, 3, 4, 5], [1, 2, 3, 5, 4], [10, 20, 30, 40, 50]
    expected = (0.8 - 0.9 * 0.9) / (1 - 0.9**2)
    assert base.partial_rank_correlation(first, second, time) == pytest.approx(expected)
    assert base.partial_rank_correlation(first, first, time) == pytest.approx(1)
    assert base.partial_rank_correlation(first, time, time) is None
    assert base.partial_rank_correlation(first, [7] * 5, time) is None
    assert base.partial_rank_correlation(first[:4], second[:4], time[:4]) is None


def test_series_that_share_but_a_trend_are_not_correlated_given_the_time() -> None:
    time = torch.arange(400.0)
    first, second = (time + 10 * torch.randn(400, generator=seeded(k)) for k in range(2))
    assert base.rank_correlation(first.tolist(), second.tolist()) == pytest.approx(1, abs=0.02)
    given_time = base.partial_rank_correlation(first.tolist(), second.tolist(), time.tolist())
    assert given_time == pytest.approx(0, abs=0.15)  # three standard errors of 1 / sqrt(400)


def test_measures_come_each_at_its_own_steps(tmp_path: Path) -> None:
    rows = [{"step": 0, "a": 1.0, "b": {"c": 3.0}}, {"step": 5, "a": 2.0}, {"step": 7}]
    one = recorded(tmp_path, 0, [0.1], rows)
    assert base.measurement("a")(one) == ([0, 5], [1.0, 2.0])
    assert base.measurement("b", lambda given: given["c"])(one) == ([0], [3.0])
    assert_refused("must have measured 'd', got only a, b", lambda: base.measurement("d")(one))


def test_correlation_with_the_error_is_a_seed_each(tmp_path: Path) -> None:
    """Neither the row before training counts, nor those after the game is solved, at step 6;
    constant measures and those that only follow the outer step say nothing.
    """
    errors = [0.5, 0.9, 0.7, 0.8, 0.5, 0.6, 0.004, 0.3]
    rows = [
        {"step": k, "a": -error, "b": 7, "c": k, "output_errors": [error - 0.002, error + 0.002]}
        for k, error in enumerate(errors)
    ]
    rows[0]["a"] = rows[7]["a"] = 100
    seeds = [recorded(tmp_path, seed, [0.1], rows) for seed in range(2)]
    assert base.with_error(seeds, base.measurement("a")) == pytest.approx([-1, -1])
    assert base.with_error(seeds, base.measurement("b")) == []
    assert base.with_error(seeds, base.measurement("c")) == []


# ------------------------------------------------------------------------------ experiments


class Tiny(TrainingExperiment):
    name = "tiny"
    title = "A tiny one"
    question = "Does it run?"
    short = full = Scale(1, 4)

    told: ClassVar = {"tiny": SMOKE}

    def findings(self, trained: Any) -> Findings:
        panel = base.Panel("error", "outer step", "MSE", {"a": {"x": [1, 2], "y": [[1.0, None]]}})
        claims = [Claim("It runs", f"{len(trained)} trainings", "yes")]
        return Findings(claims, [panel], ["a"], [["1"]], {"b": 2})


def test_from_trainings_to_a_page(tmp_path: Path) -> None:
    out = tmp_path / "results"
    tiny = Tiny(seeds=2, max_steps=4, runs=str(tmp_path / "runs"))
    result = run(tiny, out / "tiny.json")
    assert json.loads((out / "tiny.json").read_text()) == result
    assert result["trainings"] == 2
    assert (out / "tiny.png").stat().st_size > 0
    page(out, tmp_path / "docs" / "page.md")
    written = (tmp_path / "docs" / "page.md").read_text()
    assert "| It runs | 2 trainings | the study | **yes** |" in written
    assert "(../results/tiny.png)" in written
    assert "why_hard.py tiny --seeds 2 --max_steps 4" in written
    assert_refused("needs results, got none", lambda: page(tmp_path, tmp_path / "p.md"))


EMPTY: dict[str, Any] = {"title": "", "x": "", "y": "", "log": False, "lines": {}}


def made_up(folder: Path, name: str, **claim: str) -> None:
    """A result of one claim, which is what JSON files held before claims had an owner."""
    told = {"says": f"of {name}", "measured": "0 ± 1", "holds": "undecided", **claim}
    result = {
        "title": EXPERIMENTS[name].title,
        "question": "?",
        "command": f"python {name}",
        **dict.fromkeys(("seeds", "max_steps", "trainings", "cpu_seconds"), 1200),
        "machine": "an abacus",
        "claims": [told],
        "columns": [],
        "rows": [],
        "panels": [{**EMPTY, "curves": {"a": {"x": [1, 2], "y": [[1.0, 2.0]]}}}],
    }
    (folder / f"{name}.json").write_text(json.dumps(result))


def test_the_page_can_be_read_from_the_top(tmp_path: Path) -> None:
    made_up(tmp_path, "binding", of="ours")
    made_up(tmp_path, "plateaus")
    page(tmp_path, tmp_path / "page.md")
    written = (tmp_path / "page.md").read_text()
    headings = re.findall("^## (.*)$", written, re.MULTILINE)
    titles = [EXPERIMENTS[name].title for name in ("plateaus", "binding")]
    assert headings == ["All claims", "How to read it", "Words", *titles, "Not tested"]
    place = "#binding-information-organisation-of-the-experts"
    assert f"| [binding]({place}) | of binding | ours | **undecided** |" in written
    assert "| of plateaus | the study | **undecided** |" in written
    targets = {re.sub("[^a-z0-9-]", "", head.lower().replace(" ", "-")) for head in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", written)) <= targets
    assert "1200 seeds; 20 minutes of CPU time (an abacus)" in written


def test_the_page_draws_figures_again_from_what_is_committed(tmp_path: Path) -> None:
    made_up(tmp_path, "binding")
    picture = tmp_path / "binding.png"
    page(tmp_path, tmp_path / "page.md")
    first = picture.read_bytes()
    picture.write_bytes(b"of another day")
    page(tmp_path, tmp_path / "page.md")
    assert picture.read_bytes() == first


@pytest.mark.parametrize("word", WORDS_OF_TABLES)
def test_words_of_the_tables_are_explained(word: str) -> None:
    assert re.search(rf"^\| [^|]*{re.escape(word)}", TEMPLATE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_asks(name: str) -> None:
    experiment = EXPERIMENTS[name]()
    assert experiment.short.seeds <= experiment.full.seeds
    wanted = experiment.trainings(1, 10)
    folders = {one.folder(Path("runs")) for one in wanted}
    assert len(folders) == len(wanted)
    assert len(experiment.question.split()) > 20


def test_all_experiments_have_committed_results() -> None:
    assert {file.stem for file in COMMITTED} == EXPERIMENTS.keys()


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
def test_committed_results_have_seeds_enough(file: Path) -> None:
    result, full = json.loads(file.read_text()), EXPERIMENTS[file.stem].full
    assert (result["seeds"], result["max_steps"]) == full
    assert full.seeds >= (5 if file.stem in FIVE_SEEDS else 3)
    trainings = EXPERIMENTS[file.stem]().trainings(0, full.max_steps)
    assert result["trainings"] == full.seeds * len(trainings)


def test_the_committed_page_is_that_of_the_committed_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results" / "why_hard"
    folder.mkdir(parents=True)
    for file in COMMITTED:
        shutil.copy(file, folder)
    blank = SimpleNamespace(savefig=lambda file: None)
    monkeypatch.setattr(plots, "panels", lambda panels: blank)
    page(folder, tmp_path / "docs" / "why_hard.md")
    written = (tmp_path / "docs" / "why_hard.md").read_text()
    assert written == (ROOT / "docs" / "why_hard.md").read_text()


@pytest.mark.parametrize("name", JUDGES)
def test_committed_verdicts_are_those_of_their_numbers_today(name: str) -> None:
    result = json.loads((ROOT / "results" / "why_hard" / f"{name}.json").read_text())
    assert rejudge(name, result) == result
    assert JUDGES[name](result["numbers"], result["max_steps"])[0]
    other = {**result, "claims": [{**claim, "holds": "yes"} for claim in result["claims"]]}
    assert rejudge(name, other)["claims"] != other["claims"]
    assert_refused(
        "only what a result holds is judged again", lambda: rejudge(name, {**result, "claims": []})
    )


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
def test_committed_figures_can_be_drawn_again(file: Path) -> None:
    result = json.loads(file.read_text())
    figure = plots.panels(result["panels"])
    assert len(figure.axes) == len(result["panels"])
    assert f"why_hard.py {file.stem}" in result["command"]


# ---------------------------------------------------------------------------------- figures


def drawn(curves: dict[str, Any], **settings: Any) -> Axes:
    """The one panel of a figure, as it is in a file, and no more of it than is needed."""
    figure = plots.panels([{**EMPTY, "curves": curves, **settings}])
    figure.draw_without_rendering()
    return figure.axes[0]


def test_points_have_their_names_beside_them() -> None:
    """Medians of one seed each: four that are nearly one, and one at the right end."""
    places = {
        "north": (1, 2),
        "south": (1, 2.01),
        "east": (1.01, 2),
        "west": (0.99, 2),
        "far": (5, 1),
    }
    axes = drawn({name: {"x": [x], "y": [[y]]} for name, (x, y) in places.items()}, never=4)
    assert axes.get_legend() is None
    names = [text for text in axes.texts if text.get_text() in places]
    assert {text.get_text(): text.xy for text in names} == {
        name: pytest.approx(place) for name, place in places.items()
    }
    boxes = [Text.get_window_extent(text) for text in names]
    assert [box.count_overlaps(boxes) for box in boxes] == [1] * 5  # itself
    assert all(axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1) for box in boxes)


def test_every_seed_is_a_point_and_what_never_got_there_is_hollow_and_apart() -> None:
    """The median of all seeds needs no number for those; here it is that of 10, 20 and never."""
    curves = {
        "most": {"x": [1, 2, 3], "y": [[20.0, None, 10.0]]},
        "few": {"x": [5, 5, 5], "y": [[None, None, 30.0]]},
    }
    axes = drawn(curves, never=100)
    found = [
        (*line.get_xydata()[0].tolist(), line.get_markersize() > 5, line.get_mfc() == "white")
        for line in axes.get_lines()
        if len(line.get_xydata()) == 1
    ]
    above = pytest.approx(110)
    seeds = [(1, 20, False, False), (2, above, False, True), (3, 10, False, False)]
    few = [(5, above, False, True)] * 2 + [(5, 30, False, False)]
    assert found == [*seeds, (2, 20, True, False), *few, (5, above, True, True)]
    assert "not within 100" in {text.get_text() for text in axes.texts}
    assert max(axes.get_yticks()) <= 100


def test_a_logarithmic_axis_leaves_out_zero() -> None:
    curve = {"x": [0, 1, 10], "y": [[7.0, 2.0, 3.0], [5.0, 4.0, None]]}
    axes = drawn({"a": curve, "b": curve}, log_x=True)
    assert axes.get_xscale() == "log"
    assert all(line.get_xdata().tolist() == [1, 10] for line in axes.get_lines())
    assert axes.get_lines()[2].get_ydata().tolist() == [3, 3]  # the median of those there are
    assert drawn({"a": curve}).get_xscale() == "linear"  # as panels were before


def test_a_bold_line_is_the_median_of_the_seeds_there_are() -> None:
    """Seeds that jump at different times: their mean would be on plateaus that none is on."""
    seeds = [[9.0, 0.0, 0.0, None], [9.0, 9.0, 0.0, None], [9.0, 9.0, 9.0, None]]
    *thin, bold = drawn({"a": {"x": [1, 2, 3, 4], "y": seeds}}).get_lines()
    assert [line.get_ydata()[:3].tolist() for line in thin] == [seed[:3] for seed in seeds]
    assert bold.get_ydata()[:3].tolist() == [9, 9, 0]
    assert math.isnan(bold.get_ydata()[3])
    assert bold.get_zorder() > thin[0].get_zorder()


@pytest.mark.parametrize("count", [2, 7])
def test_a_legend_lies_on_no_curve(count: int) -> None:
    curve = {"x": [*range(20)], "y": [[1.0] * 20, [3.0] * 20]}
    axes = drawn({f"a rather long name {k}": curve for k in range(count)}, x="outer step")
    legend = axes.get_legend().get_window_extent()
    assert legend.y1 < axes.xaxis.label.get_window_extent().y0
    assert legend.y0 >= 0
    assert drawn({"alone": curve}).get_legend() is None


@pytest.mark.parametrize("log", [False, True])
def test_names_of_lines_are_right_of_the_axes_and_of_each_other_apart(log: bool) -> None:
    lines = {"one number for all": 0.3, "chance": 0.31, "nearly chance": 0.305, "solved": 0.01}
    axes = drawn({"a": {"x": [1, 2], "y": [[0.4, 0.001]]}}, log=log, lines=lines)
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}
    assert {box.count_overlaps(boxes.values()) for box in boxes.values()} == {1}  # itself
    assert all(axes.bbox.x1 < box.x0 and box.x1 < axes.figure.bbox.x1 for box in boxes.values())
    assert sorted(boxes, key=lambda name: boxes[name].y0) == sorted(lines, key=lines.__getitem__)
    solved = boxes["solved"].y0 + boxes["solved"].height / 2
    assert solved == pytest.approx(axes.transData.transform((1, 0.01))[1], abs=1)


def test_a_figure_has_a_panel() -> None:
    assert_refused("a figure needs at least one panel", lambda: plots.panels([]))


def test_wrong_names(tmp_path: Path) -> None:
    wrong = refuse(main_of("why_hard"), "nonsense", cwd=tmp_path)
    assert wrong.startswith("error: experiment must be one of plateaus")
