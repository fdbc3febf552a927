"""Measures by name, and while an agent is trained."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from bad_inputs.command_line import main_of
from command_line import call, refuse, succeed
from properties import Fit, Make, assert_refused
from torch import Tensor

from badger_graph import MetaLearner, load_learner
from badger_graph.analysis import dynamic_modes, oscillating_share
from badger_graph.analysis.measures import MEASURES, check_measures, intervals, take
from badger_graph.analysis.subject import Recording, Subject
from badger_graph.callbacks.measurements import Measurements, subject_of
from badger_graph.cli import fit_main
from badger_graph.library.load import TrainedAgent
from badger_graph.logs import MEASUREMENTS, read_measurements
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.tasks import SumOfWaves
from badger_graph.tasks.waves import waves
from topologies import CompleteTopology

ONE = torch.ones(1, 1, 1)
ZEROS = "last_moves are relative to the last guess, got zeros"


def subject(learner: MetaLearner, num_tasks: int = 40) -> Subject:
    return subject_of(learner, num_tasks, seed=3)


# --------------------------------------------------------------------------------- by name


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_plain_finite_data_and_changes_nothing(
    tiny_learner: Make, name: str
) -> None:
    learner = tiny_learner()
    if name == "amplitudes":
        learner.task, learner.sizes = SumOfWaves(), replace(learner.sizes, num_outputs=3)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    found = take([name], subject(learner))
    json.dumps(found, allow_nan=False)
    assert take([name], subject(learner)) == found  # by the seed alone
    assert all(torch.equal(value, before[key]) for key, value in learner.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in learner.parameters())


def test_output_errors_are_those_of_the_rollout(tiny_learner: Make) -> None:
    learner = tiny_learner()
    seen = subject(learner)
    found = take(["output_errors", "squared_error"], seen)
    errors = (seen.recording.action[-1] - seen.recording.target).square()
    assert found["output_errors"] == pytest.approx(errors.mean(dim=0).tolist())
    assert found["squared_error"] == pytest.approx(errors.mean().item())


def acted(action: Tensor, target: Tensor | None = None, hidden: Tensor | None = None) -> Subject:
    """A subject that is said to have done this."""
    seen = Subject.__new__(Subject)
    target = action[-1] if target is None else target
    hidden = torch.empty(0) if hidden is None else hidden
    seen.__dict__["recording"] = Recording(hidden, action, target)
    return seen


def test_amplitudes_in_phase_of_random_guesses_are_nothing() -> None:
    """Waves of the right amplitude, each in a phase of its own."""
    phase = 2 * math.pi * torch.arange(64) / 64
    target, guess = waves(phase, 7), waves(phase.flip(0) + 1, 7)
    found = MEASURES["amplitudes"].of(acted(guess[None], target))
    assert isinstance(found, dict)
    assert found["amplitude"] == pytest.approx([1] * 3, rel=1e-5)
    assert found["in_phase"] == pytest.approx([0] * 3, abs=1e-5)


def test_last_moves_by_hand() -> None:
    """Guesses of size 2: the first jump is six steps back, one of the last five is 1."""
    steps = torch.tensor([0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0])
    action = steps[:, None, None] * torch.tensor([1.0, -1.0])
    assert MEASURES["last_moves"].of(acted(action)) == pytest.approx(1 / 5 / 2)
    assert MEASURES["last_moves"].of(acted(action[:1].expand(8, 1, 2) + 1)) == 0
    assert_refused("got zeros", lambda: MEASURES["last_moves"].of(acted(torch.zeros(3, 1, 2))))
    assert_refused("at least 2", lambda: MEASURES["last_moves"].of(acted(torch.ones(1, 1, 2))))


def test_steps_at_rest_by_hand() -> None:
    """Guesses of size 2: those within 0.2 of the last, with none farther off after them."""

    def resting(*steps: float) -> object:
        action = torch.tensor(steps)[:, None, None] * torch.tensor([1.0, -1.0])
        return MEASURES["steps_at_rest"].of(acted(action))

    assert resting(0, 2.1, 1.5, 1.9, 2.1, 2) == 2
    assert resting(2, 1.9, 2.1, 2) == 3
    assert resting(2, 2, 1.7, 2) == resting(2) == 0
    assert_refused("got zeros", lambda: resting(1, 0))


def test_outputs_alike_by_hand() -> None:
    same = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    opposite = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    bias = torch.tensor([5.0, -3.0])  # is said whatever the task is
    for action, common in ((same, 1), (opposite, 0), (torch.cat([same, opposite]), 0.5)):
        found = MEASURES["outputs_alike"].of(acted((action + bias)[None]))
        assert found == {"size": pytest.approx(1), "common": pytest.approx(common)}
    assert MEASURES["outputs_alike"].of(acted(bias.expand(1, 3, 2))) == {"size": 0, "common": 1}
    one = acted(same[None, :1])
    assert_refused("at least 2 tasks, got 1", lambda: MEASURES["outputs_alike"].of(one))


def test_squares_of_large_guesses_do_not_overflow() -> None:
    """They are those of float32; what is beyond float64 is no measure."""
    large = torch.full((1, 3, 2), 1e30)
    found = take(["squared_error"], acted(large, 0 * large[-1]))
    assert found["squared_error"] == pytest.approx(1e60)
    beyond = acted(1e200 * large.double(), 0 * large[-1])
    assert_refused("squared_error must be finite", lambda: take(["squared_error"], beyond))


def test_states_of_zero_have_no_modes() -> None:
    still = acted(torch.empty(1), hidden=torch.zeros(5, 2, 2, 3))
    assert_refused("must not all be zero", lambda: take(["dynamic_modes"], still))


def test_dynamic_modes_of_a_linear_system() -> None:
    """A turn by 1/8 on a circle of radius 1, a fall from 2 at 0.9, and a part that stays."""
    turn, times = torch.arange(40).double() * math.pi / 4, torch.arange(40).double()
    parts = [turn.cos(), turn.sin(), 2 * 0.9**times, torch.ones(40).double()]
    hidden = torch.stack(parts, dim=1).view(40, 1, 2, 2)  # one life of two experts
    found = MEASURES["dynamic_modes"].of(acted(torch.empty(1), hidden=hidden))
    assert isinstance(found, dict)
    assert found["rank"] == [1, 2, 4]
    assert found["spectral_radius"][-1] == pytest.approx(1)
    share = oscillating_share(dynamic_modes(hidden.view(40, 4)))
    assert found["oscillating"][-1] == pytest.approx(share)
    first, second, last = found["residual"]
    assert first > second > 0.1
    assert last < 1e-10
    short = acted(torch.empty(1), hidden=hidden[:2])
    assert_refused("at least 3 inner steps, got 2", lambda: MEASURES["dynamic_modes"].of(short))


def test_information_falls_apart_into_pairs(tiny_learner: Make) -> None:
    """With two experts all measures of shared information are the mutual information."""
    learner = tiny_learner()
    learner.agent.topology = CompleteTopology()
    learner.sizes = replace(learner.sizes, num_experts=2)
    seen = subject(learner)
    names = ["mutual_information", "total_correlation", "binding_information", "o_information"]
    mutual, total, binding, difference = take(names, seen).values()
    assert [total, binding] == pytest.approx(2 * list(mutual), rel=1e-6)
    assert difference == pytest.approx(0, abs=1e-9)


def test_unknown_measures() -> None:
    for every in (-1, 2.5, math.nan):
        message = f"one hessian to the next must be (a whole number|at least 1).*got {every}"
        assert_refused(message, lambda every=every: Measurements({"hessian": every}))
    message = "one of output_errors, .* got 'hesian'; did you mean 'hessian'"
    assert_refused(message, lambda: take(["hesian"], acted(ONE)))
    message = r"several names, for example \[hessian\], got 'hessian'"
    for refuses in (check_measures, intervals, lambda name: take(name, acted(ONE))):
        assert_refused(message, lambda refuses=refuses: refuses("hessian"))


def test_a_trained_agent_from_the_command_line(tmp_path: Path) -> None:
    main = main_of("measure")
    told = ["micro_badger", "--measures", "squared_error", "--num_tasks", "50"]
    result = call(main, *told, cwd=tmp_path)
    row = json.loads(result.out)
    seen = subject_of(load_learner("micro_badger"), 50, 1_000_000)
    assert row["squared_error"] == take(["squared_error"], seen)["squared_error"]
    wrong = call(main, "nothing.ckpt", cwd=tmp_path)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)


def test_too_few_tasks_for_a_covariance(tiny_learner: Make, fit: Fit) -> None:
    few = subject(tiny_learner(), num_tasks=15)  # 5 experts x 3 directions
    assert_refused("more samples than dimensions", lambda: take(["o_information"], few))
    callback = Measurements(["o_information"], num_tasks=15)
    assert_refused("more samples than dimensions", lambda: fit(tiny_learner(), 1, callback))


# ---------------------------------------------------------------------------- in training


def test_rows_come_at_their_steps(tiny_learner: Make, fit: Fit, tmp_path: Path) -> None:
    """Each measure at its own; what is not due is not there; all are due before training."""
    callback = Measurements({"squared_error": 2, "last_moves": 3}, num_tasks=8)
    learner = tiny_learner()
    first = take(callback.measures, subject_of(learner, 8, callback.seed))
    fit(learner, 7, callback)
    rows = read_measurements(tmp_path)
    assert rows[0] == {"step": 0, **first}
    due = {row.pop("step"): list(row) for row in rows}
    squared, last = ["squared_error"], ["last_moves"]
    assert due == {0: squared + last, 2: squared, 3: last, 4: squared, 6: squared + last}


def test_a_list_takes_each_measure_at_its_default_interval() -> None:
    names = ["hessian", "squared_error"]
    assert intervals(names) == {name: MEASURES[name].every for name in names}
    assert intervals({"hessian": 7}) == {"hessian": 7}
    assert intervals([]) == {}


def test_measuring_changes_no_bit_of_the_training(tiny_learner: Make, fit: Fit) -> None:
    trained = []
    for measures in ([], ["mutual_information", "gradient_conflict", "lyapunov"]):
        learner = tiny_learner()
        fit(learner, 4, Measurements(dict.fromkeys(measures, 1), num_tasks=20))
        trained.append(torch.nn.utils.parameters_to_vector(learner.parameters()))
    assert torch.equal(*trained)


def test_a_resumed_run_measures_on(tmp_path: Path) -> None:
    """Rows after the checkpoint are taken again; a line that a kill cut short is dropped."""
    told = ["--config", "smoke", "--evaluate", "false", "--run_dir", "run"]
    told += ["--measurements.measures", "{squared_error: 2}", "--measurements.num_tasks", "8"]
    succeed(fit_main, *told, "--max_steps", "4", cwd=tmp_path)
    file = tmp_path / "run" / MEASUREMENTS
    whole = read_measurements(file.parent)
    with file.open("a") as lines:
        lines.write('{"step": 6, "squared_error": 0.5}\n{"step": 8, "squ')
    assert len(read_measurements(file.parent)) == 4
    succeed(fit_main, *told, "--max_steps", "6", "--ckpt_path", "last", cwd=tmp_path)
    rows = read_measurements(file.parent)
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert rows[:3] == whole
    assert rows[3]["squared_error"] != 0.5
    wrong = refuse(
        fit_main, *told[:5], "other", "--measurements.measures", "[nonsense]", cwd=tmp_path
    )
    assert "a measure must be one of output_errors" in wrong


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--measurements.measures [hessian]", ["hessian"]),
        ("--measurements.measures {hessian:\t500}", {"hessian": 500}),
        ("--config redundancy", {"binding_curve": 500}),
        ("--config redundancy --config losses", {"squared_error": 25}),
        ("--config redundancy --config list.yaml", ["squared_error"]),
        ("--config list.yaml --config redundancy", {"binding_curve": 500}),
        ("--config redundancy --measurements.measures [hessian]", ["hessian"]),
        ("--config redundancy --measurements.measures {hessian:\t5}", {"hessian": 5}),
    ],
)
def test_what_is_said_last_replaces_what_was_said(
    typed: str, expected: list[str] | dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "list.yaml").write_text("measurements: {measures: [squared_error]}")
    told = [part.replace("\t", " ") for part in typed.split(" ")]
    printed = succeed(fit_main, *told, "--print_config", cwd=tmp_path)
    assert yaml.safe_load(printed.out)["measurements"]["measures"] == expected


def test_weights_that_blew_up_are_a_divergence_and_no_measurement(
    tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    broken = tiny_learner()
    with torch.no_grad():
        next(broken.parameters()).fill_(math.inf)
    with pytest.raises(NonFiniteLossError, match="weights must be finite"):
        fit(broken, 1, Measurements(["squared_error"]))
    assert read_measurements(tmp_path) == []


def overflowing(learner: MetaLearner) -> MetaLearner:
    """Its weights are finite, and what it does of them is not."""
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.mul_(1e30)
    return learner


@pytest.mark.parametrize("name", ["squared_error", "steps_at_rest", "dynamic_modes", "lyapunov"])
def test_lives_that_blow_up_are_a_divergence(
    name: str, tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    callback = Measurements([name], num_tasks=8)
    with pytest.raises(NonFiniteLossError, match=r"must be finite, got .* at outer step 0"):
        fit(overflowing(tiny_learner()), 1, callback)
    assert read_measurements(tmp_path) == []


def test_lives_that_blow_up_are_said_on_the_command_line(
    tiny_learner: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = overflowing(tiny_learner())
    broken = TrainedAgent(learner.agent, learner.task, learner.meta_loss, 5, 2, 3, 0)
    monkeypatch.setattr("badger_graph.experiments.measure.load_trained", lambda checkpoint: broken)
    wrong = call(main_of("measure"), "micro_badger", "--num_tasks", "8", cwd=tmp_path)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "error: the agent's states must be finite, got" in wrong.err


def test_what_means_nothing_at_one_step_is_left_out_there(
    tiny_learner: Make, fit: Fit, tmp_path: Path
) -> None:
    """Guesses of zero have no moves relative to their size, until training changes them."""
    learner = tiny_learner()
    with torch.no_grad():
        for parameter in learner.agent.policy.readout.parameters():
            parameter.zero_()
    learner.optimizer = lambda parameters: torch.optim.SGD(parameters, lr=0.0)
    names = ["squared_error", "last_moves", "gradient_conflict"]
    with pytest.warns(UserWarning, match="left out where it is undefined") as warned:
        fit(learner, 2, Measurements(dict.fromkeys(names, 1), num_tasks=8))
    said = [str(one.message) for one in warned if "left out" in str(one.message)]
    assert said == ["last_moves is left out where it is undefined: " + ZEROS]
    assert [list(row) for row in read_measurements(tmp_path)] == [["step", *names[::2]]] * 3
