"""The curriculum: what each outer step is like, when stages change, and that runs repeat it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import assert_same_bits, load, succeed
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from properties import Fit, Make, assert_round_trip, weights
from torch import Tensor

from badger_graph import (
    Birth,
    Curriculum,
    MetaLearner,
    MoreCodebooks,
    OneMoreOutput,
    Stage,
    Stages,
    load_agent,
    load_learner,
    unroll,
)
from badger_graph.callbacks import StageCheckpoints
from badger_graph.cli import fit_main
from badger_graph.library.resume import require_same_run
from badger_graph.outer.config import CONFIG_KEY, to_config
from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.rate import set_learning_rate
from badger_graph.outer.stream import TaskStream
from topologies import CompleteTopology

CHANCE = 1 / 3


def lessons(curriculum: Curriculum, number: int = 500) -> list[Lesson]:
    return [curriculum.lesson(0, step) for step in range(number)]


def at(curriculum: Curriculum, stage: int) -> Curriculum:
    curriculum.stage = stage
    return curriculum


class Watch(Callback):
    """Keeps what every outer step was like."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.lessons: list[Lesson] = []
        self.rates: list[float] = []
        self.stages: list[int] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, MetaLearner)
        self.lessons.append(pl_module.course.lesson)
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        if pl_module.curriculum is not None:
            self.stages.append(pl_module.curriculum.stage)
        if trainer.global_step == self.stop_at:
            trainer.should_stop = True


def three_stages() -> Stages:
    """Everything a stage can say, in ten outer steps."""
    return Stages(
        [
            Stage(2, num_experts=5, steps=3, redraw_identifiers_every=2, redraw_graph_every=3),
            Stage([1, 3], spare_experts=[3, 5], steps=4, learning_rate=1e-3),
            Stage([1, 4], num_experts=[4, 9], steps=3),
        ]
    )


def quick() -> OneMoreOutput:
    """An easy one: an agent that knows nothing gets one more output now and then."""
    return OneMoreOutput(last=9, spare_experts=3, threshold=0.9, window=2)


# ----------------------------------------------------------------------------------- lessons


@pytest.mark.parametrize(
    "curriculum",
    [three_stages(), quick(), OneMoreOutput(2, 5, [5, 7]), MoreCodebooks(quick(), 2, 5, 4)],
)
def test_round_trip(curriculum: Curriculum) -> None:
    assert_round_trip(
        curriculum, lambda other: torch.tensor([lesson[:2] for lesson in lessons(other, 50)])
    )


def test_sizes_are_uniform_in_their_ranges() -> None:
    drawn = lessons(Stages([Stage([3, 6], num_experts=[6, 9])]), 3200)
    pairs = [lesson[:2] for lesson in drawn]
    assert set(pairs) == {(d, n) for d in range(3, 7) for n in range(6, 10)}
    assert all(140 < pairs.count(pair) < 260 for pair in set(pairs))  # 200 each


def test_each_factor_is_as_likely_where_sizes_are_log_uniform() -> None:
    drawn = lessons(Stages([Stage([2, 32], spare_experts=0, log_uniform=True)]), 4000)
    outputs = [lesson.num_outputs for lesson in drawn]
    assert set(outputs) == set(range(2, 33))
    for low, high in ((4, 8), (8, 16), (16, 32)):  # each a quarter, but for what is rounded
        assert sum(low <= d < high for d in outputs) / 4000 == pytest.approx(0.25, abs=0.04)


def test_spare_experts_come_on_top() -> None:
    drawn = lessons(Stages([Stage([1, 4], spare_experts=[0, 2])]))
    assert {(d, n - d) for d, n, *_ in drawn} == {(d, s) for d in range(1, 5) for s in range(3)}


def test_lessons_are_functions_of_seed_and_step() -> None:
    curriculum = Stages([Stage([1, 9], spare_experts=0)])
    again = [curriculum.lesson(0, step) for step in reversed(range(500))]
    assert again[::-1] == lessons(curriculum)
    assert [curriculum.lesson(1, step) for step in range(500)] != lessons(curriculum)


def test_half_of_the_lessons_are_at_the_frontier() -> None:
    drawn = [lesson.num_outputs for lesson in lessons(at(OneMoreOutput(first=2), 3), 4000)]
    counts = [drawn.count(d) / 4000 for d in range(1, 6)]
    # The smaller of two draws: 9, 7, 5, 3 and 1 of 25, in the other half.
    assert counts == pytest.approx([0.18, 0.14, 0.1, 0.06, 0.52], abs=0.03)
    assert {lesson.num_experts - lesson.num_outputs for lesson in lessons(OneMoreOutput())} == {6}
    everywhere = lessons(at(OneMoreOutput(frontier_share=1.0, num_experts=25), 7))
    assert {lesson[:2] for lesson in everywhere} == {(8, 25)}


def test_a_rate_holds_until_another_is_told() -> None:
    rates = [None, 1e-3, None, 2e-3]
    curriculum = Stages([Stage(1, 4, steps=1, learning_rate=rate) for rate in rates])
    told = [at(curriculum, stage).lesson(0, 0).learning_rate for stage in range(4)]
    assert told == [None, 1e-3, 1e-3, 2e-3]


# ------------------------------------------------------------------------------------ stages


def stages_after(curriculum: Curriculum, errors: Iterator[float | None]) -> list[int]:
    stages = []
    for error in errors:
        curriculum.learn(error, CHANCE)
        stages.append(curriculum.stage)
    return stages


def test_stages_of_so_many_steps() -> None:
    curriculum = Stages([Stage(1, 4, steps=2), Stage(2, 4, steps=3), Stage(3, 4, steps=1)])
    assert stages_after(curriculum, iter([None] * 5)) == [0, 1, 1, 1, 2]
    assert not curriculum.finished
    assert stages_after(curriculum, iter([None] * 3)) == [3, 3, 3]
    assert curriculum.finished


def test_stages_until_an_error() -> None:
    stages = [Stage(1, 4, until_error=0.1), Stage(2, 4, until_error=0.1, steps=40), Stage(3, 4)]
    curriculum = Stages(stages)
    # Exactly the mean of thirty errors of this stage: 29 of 0, one of 3.0 make 0.1, not below.
    bad_then_good = [3.0, *[0.0] * 29]
    assert stages_after(curriculum, iter(bad_then_good)) == [0] * 30
    assert stages_after(curriculum, iter([0.0])) == [1]  # the bad one has left the window
    assert stages_after(curriculum, iter([0.0] * 30)) == [1] * 29 + [2]  # counted from the start
    at(curriculum, 1).load_state_dict({"stage": 1, "steps": 0, "errors": []})
    assert stages_after(curriculum, iter([1.0] * 40)) == [1] * 39 + [2]
    assert stages_after(curriculum, iter([0.0] * 99)) == [2] * 99


def test_one_more_output_when_the_error_is_small_enough() -> None:
    curriculum = OneMoreOutput(last=3, threshold=0.08, window=3)
    frontier, below = Lesson(2, 8), Lesson(1, 7)
    assert curriculum.judges(below)
    assert stages_after(curriculum, iter([0.027] * 4)) == [0] * 4  # 0.08 / 3 = 0.02667
    assert stages_after(curriculum, iter([0.0265] * 3)) == [0, 0, 1]
    assert curriculum.judges(frontier)
    assert not curriculum.judges(below)
    # The limit grows with d; what does not count changes nothing.
    errors = [0.053, None, None, 0.053, None, 0.053]
    assert stages_after(curriculum, iter(errors)) == [1] * 5 + [2]  # 0.16 / 3 = 0.0533
    assert not curriculum.judges(Lesson(3, 9))
    assert not curriculum.finished
    assert curriculum.num_stages == 3


# ---------------------------------------------------------------------------------- training


def test_codebooks_double_before_the_next_curriculum() -> None:
    """1, 2 and 4 codebooks, each left at an error of 0.2 of chance; then one output, then two."""
    then = OneMoreOutput(1, 3, num_experts=4, frontier_share=1.0, threshold=0.3, window=2)
    curriculum = MoreCodebooks(
        then, num_outputs=2, num_experts=5, largest=4, threshold=0.1, window=2
    )
    assert curriculum.num_stages == 3 + 3
    assert [curriculum.sizes(stage) for stage in (0, 2, 3, 5)] == [
        [(2, 5)],
        [(2, 5)],
        [(1, 4)],
        [(1, 4), (3, 4)],
    ]
    seen = []
    for error in (0.9, 0.15, 0.15, 0.15, 0.3, 0.06, 0.19, 0.19, 0.29, 0.25, 0.5, 0.65, 0.2):
        lesson = curriculum.lesson(0, len(seen))
        seen.append((curriculum.stage, lesson.codebooks, lesson.num_outputs, lesson.num_experts))
        assert curriculum.judges(lesson) == (curriculum.stage < 5)
        curriculum.learn(error * CHANCE, CHANCE)
    few = [(0, 1, 2, 5)] * 3 + [(1, 2, 2, 5)] * 3 + [(2, 4, 2, 5)] * 2
    assert seen[:-1] == [*few, *[(3, None, 1, 4)] * 2, *[(4, None, 2, 4)] * 2]
    assert seen[-1][:2] == (5, None)


@pytest.mark.parametrize("window", [1, 3])
def test_the_curriculum_after_more_codebooks_keeps_its_own_window(window: int) -> None:
    """Which its config says all along: a resumed run is held against it."""
    then = OneMoreOutput(1, 2, num_experts=4, frontier_share=1.0, window=window)
    curriculum = MoreCodebooks(then, largest=1, window=2)
    config = to_config(curriculum)
    ends = []
    for step in range(2 + window + 1):
        curriculum.lesson(0, step)
        ends.append(curriculum.stage)
        curriculum.learn(0.0, CHANCE)
    assert ends == [0, 0, *[1] * window, 2]
    assert to_config(curriculum) == config


def test_outer_steps_by_hand(tiny_learner: Make, fit: Fit) -> None:
    """Sizes, rates and stages: the same without Lightning, bit for bit."""
    trained, by_hand = tiny_learner(seed=3, curriculum=quick()), tiny_learner(seed=3)
    watch = Watch()
    fit(trained, 12, watch)
    curriculum, optimizer = quick(), by_hand.configure_optimizers()
    for step, seed in zip(range(12), TaskStream(3), strict=False):
        lesson = curriculum.lesson(3, step)
        assert watch.lessons[step] == lesson
        generator = torch.Generator().manual_seed(seed)
        task = by_hand.task.sample(4, lesson.num_outputs, generator)
        loss = unroll(by_hand.agent, task, lesson.num_experts, 4, generator).loss
        optimizer.zero_grad()
        loss[2:].mean().backward()
        optimizer.step()
        counts = lesson.num_outputs == curriculum.frontier
        curriculum.learn(loss[-1].mean().item() if counts else None, CHANCE)
        assert watch.stages[step] == curriculum.stage
    assert curriculum.stage > 0
    assert torch.equal(weights(trained), weights(by_hand))


def test_accumulated_rollouts_are_one_lesson(tiny_learner: Make, fit: Fit) -> None:
    watch, curriculum = Watch(), three_stages()
    fit(tiny_learner(curriculum=curriculum), 5, watch, accumulate_grad_batches=2)
    assert watch.lessons[::2] == watch.lessons[1::2]
    assert (curriculum.stage, curriculum.steps) == (1, 2)


def test_training_ends_with_the_last_stage(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    """And the agent of each stage is kept as it was then."""
    watch = Watch()
    trainer = fit(
        tiny_learner(curriculum=three_stages()), 99, watch, StageCheckpoints(str(tmp_path))
    )
    assert trainer.global_step == 10
    assert watch.rates == pytest.approx([3e-3] * 3 + [1e-3] * 7)
    assert watch.stages == [0, 0, 1, 1, 1, 1, 2, 2, 2, 3]
    assert sorted(path.name for path in tmp_path.glob("*.ckpt")) == [
        f"stage{stage}.ckpt" for stage in range(3)
    ]
    for stage, steps in enumerate((3, 7, 10)):
        saved = load(tmp_path / f"stage{stage}.ckpt")
        assert saved["global_step"] == steps
        twin = tiny_learner(curriculum=three_stages())
        fit(twin, steps)
        assert torch.equal(weights(load_learner(tmp_path / f"stage{stage}.ckpt")), weights(twin))


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_nothing_is_done_after_the_last_stage(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    learner = tiny_learner(curriculum=three_stages())
    fit(learner, 99, ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1))
    again = tiny_learner(curriculum=three_stages())
    trainer = fit(again, 99, ckpt_path=tmp_path / "last.ckpt")
    assert trainer.global_step == 10
    assert torch.equal(weights(again), weights(learner))


def test_the_stage_in_which_training_ends_is_kept(
    tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    fit(tiny_learner(curriculum=three_stages()), 5, StageCheckpoints(str(tmp_path / "three")))
    steps = {path.stem: load(path)["global_step"] for path in tmp_path.glob("three/*")}
    assert steps == {"stage0": 3, "stage1": 5}
    fit(tiny_learner(), 2, StageCheckpoints(str(tmp_path / "none")))
    assert not list(tmp_path.glob("none/*"))


def test_the_rate_decays_along_a_cosine(tiny_learner: Make, fit: Fit) -> None:
    """From 0.5 of 8 steps on: cos of 0, 45, 90 and 135 degrees; on top of a stage's own rate."""
    down = [(1 + math.cos(math.pi * part)) / 2 for part in (0, 0.25, 0.5, 0.75)]
    curriculum = Stages([Stage(1, 4, steps=6), Stage(1, 4, learning_rate=1.0)])
    for arguments, late in (({}, 3e-3), ({"curriculum": curriculum}, 1.0)):
        watch = Watch()
        fit(tiny_learner(decay_from=0.5, **arguments), 8, watch)
        expected = [1, 1, 1, 1, *down]
        rates = [3e-3] * 6 + [late] * 2
        assert watch.rates == pytest.approx([r * e for r, e in zip(rates, expected, strict=True)])


def test_a_schedule_may_be_given_up() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    rates = []
    for rate, decay in ((None, None), (0.1, None), (None, 0.5), (0.1, 0.5), (None, None)):
        set_learning_rate(optimizer, rate, decay)
        rates.append(optimizer.param_groups[0]["lr"])
        assert ("initial_lr" in optimizer.param_groups[0]) == (len(rates) > 1)  # none yet, no trace
    assert rates == [0.5, 0.1, 0.25, 0.05, 0.5]


def test_validation_does_not_follow(tiny_learner: Make, fit: Fit) -> None:
    settings = {"val_check_interval": 1, "limit_val_batches": 2}
    frozen = {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.0)}
    with_one = fit(tiny_learner(curriculum=quick(), **frozen), 5, **settings)
    without = fit(tiny_learner(**frozen), 5, **settings)
    assert with_one.callback_metrics["val/error"] == without.callback_metrics["val/error"]


# ---------------------------------------------------------------------------------- redrawing


@pytest.mark.parametrize("what", ["identifiers", "addresses", "graph"])
def test_what_is_redrawn_is_the_same_for_all_agents_until_then(
    tiny_learner: Make, what: str
) -> None:
    """And the rest is as it was: drawn for every agent, or one graph for ever."""
    learner = tiny_learner(curriculum=Stages([Stage(2, 5, **{f"redraw_{what}_every": 3})]))
    learner.agent.birth = Birth("random")
    learner.agent.membrane.address_size = 3  # does nothing with them
    before = learner.config()

    def born(step: int, lesson: Lesson | None = None) -> dict[str, Tensor]:
        graph = learner.objective.unroll(step, lesson).graph
        edges = graph.edge_index.unflatten(1, (4, -1)).transpose(0, 1)
        edges = edges - 5 * torch.arange(4)[:, None, None]
        identifiers = graph.identifier.view(4, 5, -1)
        return {"identifiers": identifiers, "addresses": graph.address, "graph": edges}

    lives = [born(step, learner.curriculum.lesson(0, step)) for step in range(6)]
    for name in lives[0]:
        first, *_, last, later = (life[name] for life in lives[:4])
        shared = name in (what, "graph")
        assert torch.equal(first, first[:1].expand_as(first)) == shared
        assert torch.equal(first, last) == shared
        assert torch.equal(last, later) == (name == "graph" != what)
    assert learner.config() == before
    assert torch.equal(born(0)["graph"], born(1)["graph"])
    if what == "graph":
        learner.agent.topology = CompleteTopology()  # leaves nothing to chance
        edges = [born(step, learner.curriculum.lesson(0, step))["graph"] for step in (0, 3)]
        assert torch.equal(*edges)


# ---------------------------------------------------------------------------------- resuming


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize("make", [three_stages, quick])
@pytest.mark.parametrize("half", [3, 5])  # at the end of a stage and within one
def test_resumed_to_the_same_bits(
    tiny_learner: Make, fit: Fit, tmp_path: Path, make: Callable[[], Curriculum], half: int
) -> None:
    def learner() -> MetaLearner:
        made = tiny_learner(curriculum=make(), decay_from=0.3)
        made.agent.birth = Birth("random")
        return made

    def keep(name: str) -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / name, save_last=True, every_n_train_steps=1)

    whole, resumed = Watch(), Watch()
    fit(learner(), 9, whole, keep("whole"))
    fit(learner(), 9, Watch(stop_at=half), keep("half"))
    saved = tmp_path / "half" / "last.ckpt"
    assert load(saved)["global_step"] == half
    fit(learner(), 9, resumed, keep("resumed"), ckpt_path=saved)
    assert whole.stages[-1] > 0
    for name in ("lessons", "rates", "stages"):
        assert getattr(resumed, name) == getattr(whole, name)[half:]
    given, expected = (load(tmp_path / name / "last.ckpt") for name in ("resumed", "whole"))
    for key in ("state_dict", "optimizer_states", "badger_graph", "badger_graph_curriculum"):
        assert_same_bits(given[key], expected[key], key)
    loaded = load_learner(tmp_path / "resumed" / "last.ckpt").curriculum
    assert loaded is not None
    assert loaded.state_dict() == given["badger_graph_curriculum"]


def test_from_the_command_line(tmp_path: Path) -> None:
    """Stages from a file: trained, interrupted, resumed, logged, and loaded."""
    stages = [
        {"num_outputs": 1, "spare_experts": 3, "steps": 4, "learning_rate": 0.01},
        {"num_outputs": [1, 3], "num_experts": [4, 6], "steps": 5, "learning_rate": 0.001},
    ]
    curriculum = {
        "class_path": "badger_graph.outer.curriculum.stages.Stages",
        "init_args": {"stages": stages},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"model": {"curriculum": curriculum}}))
    tiny = [
        *("--config", "smoke", "--config", "mine.yaml", "--evaluate", "false", "--num_steps", "3"),
        *("--trainer.log_every_n_steps", "1", "--trainer.val_check_interval", "3"),
    ]
    begun = succeed(fit_main, *tiny, "--run_dir=run", "--max_steps=6", cwd=tmp_path)
    assert "stage 0: d=1, N=4\n" in begun.out
    assert "stage 1: d=1..3, N=4..6\n" in begun.out
    succeed(fit_main, "--run_dir=run", "--ckpt_path=last", "--max_steps=20", cwd=tmp_path)
    # The stages are over; that the bits are the same is in test_resumed_to_the_same_bits.
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 9
    stages = [path.stem for path in tmp_path.glob("run/checkpoints/stage*")]
    assert sorted(stages) == ["stage0", "stage1"]
    load_agent(tmp_path / "run/checkpoints/stage0.ckpt")
    header = (tmp_path / "run/logs/version_0/metrics.csv").read_text().splitlines()[0]
    assert {"train/stage", "train/num_outputs", "train/num_experts"} <= set(header.split(","))


def test_older_checkpoints(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    """What they do not mention had its default; another value than that is refused."""
    fit(tiny_learner(), 1, ModelCheckpoint(tmp_path, filename="new", every_n_train_steps=1))
    checkpoint = load(tmp_path / "new.ckpt")
    config = checkpoint[CONFIG_KEY]
    del config["curriculum"]
    del config["agent"]["init_args"]["compiled"]
    del config["agent"]["init_args"]["topology"]["init_args"]["strongly_connected"]
    old = tmp_path / "old.ckpt"
    torch.save(checkpoint, old)
    assert load_learner(old).curriculum is None
    require_same_run(old, tiny_learner())
    with pytest.raises(ValueError, match=r"curriculum was None in .* and is .*OneMoreOutput"):
        require_same_run(old, tiny_learner(curriculum=quick()))
    compiled = tiny_learner()
    compiled.agent.compiled = True
    with pytest.raises(ValueError, match=r"agent\.compiled was False in .* and is True now"):
        require_same_run(old, compiled)


# --------------------------------------------------------------------------------- wrong input


def test_a_decay_needs_an_end(tiny_learner: Make, fit: Fit) -> None:
    with pytest.raises(ValueError, match="a part of max_steps, which must be at least 1, got -1"):
        fit(tiny_learner(decay_from=0.5), -1)
