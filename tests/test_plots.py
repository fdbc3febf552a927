"""The figures: what is drawn is what was given, and odd data is drawn or refused, never wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import matplotlib as mpl
import networkx as nx
import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb
from PIL import Image

from badger_graph import plots
from badger_graph.baselines import SOLVERS, ExactSolver
from badger_graph.plots.animation import principal_component
from badger_graph.plots.error_after_queries import EXACT_SOLVER, METHOD_COLOURS
from badger_graph.plots.graph import layout
from badger_graph.plots.learning_curve import shaded, smooth
from badger_graph.plots.style import expert_colours, output_colours

CHANCE = 1 / 3


def make_record(num_steps=4, num_rollouts=3, num_experts=5, num_outputs=2, num_channels=3):
    """Rollouts that approach their targets, on a ring with one direction."""
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, (num_rollouts, num_outputs))
    decay = np.exp(-np.arange(num_steps) / 2)[:, None, None]
    action = target + decay * rng.normal(size=(num_steps, num_rollouts, num_outputs))
    expert = np.arange(num_experts)
    return {
        "action": action,
        "target": target,
        "loss": ((action - target) ** 2).mean(axis=-1),
        "message": rng.normal(size=(num_steps, num_rollouts, num_experts, num_channels)),
        "hidden": rng.normal(size=(num_steps, num_rollouts, num_experts, 4)),
        "edge_index": np.stack([expert, (expert + 1) % num_experts]),
        "edge_weight": np.ones(num_experts),
    }


def make_evaluation(num_queries=12):
    query = np.arange(num_queries)
    errors = {
        "agent": (CHANCE * np.exp(-query / 3)).tolist(),
        "always zero": [CHANCE] * num_queries,
        ExactSolver.name: [CHANCE, 0.2, 0.1] + [0.0] * (num_queries - 3),
    }
    return {
        "errors": errors,
        "standard_error": {name: [0.01] * num_queries for name in errors},
        "chance": CHANCE,
        "num_outputs": 2,
        "num_experts": 5,
    }


def make_history(num_points=300):
    step = np.arange(num_points) * 5
    train = 0.4 * np.exp(-step / 400)
    return {"step": step, "train": train, "val_step": step[::50], "val": train[::50]}


def line(axes, label):
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


def write_metrics(path, rows):
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "step", "train/error", "val/error"])
        writer.writeheader()
        writer.writerows(rows)


def train_rows(steps, error):
    return [{"epoch": 0, "step": step, "train/error": error} for step in steps]


# Plateaus.


def staircase(step):
    """Flat at 0.3 until 600, flat at 0.03 from 800 to 1400, and down again after that."""
    log_error = np.interp(step, [0, 600, 800, 1400, 2000], [-0.5, -0.5, -1.5, -1.5, -3.5])
    return 10**log_error


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_plateaus_of_a_staircase_are_found(noise):
    step = np.arange(0.0, 2000.0, 5.0)
    error = staircase(step) * 10 ** np.random.default_rng(0).normal(0, noise, step.shape)
    error[30], error[50:53] = np.inf, np.nan
    np.testing.assert_allclose(shaded(step, error), [(0, 600), (800, 1400)], atol=20)


def test_plateaus_shorter_than_a_tenth_of_the_run_are_left_out():
    """The second of 30 points: enough for a plateau, not for this run of 400."""
    step = np.arange(400.0)
    error = 10 ** np.interp(step, [0, 200, 210, 240, 250, 399], [0, 0, -1, -1, -2, -2])
    np.testing.assert_allclose(shaded(step, error), [(0, 200), (250, 399)], atol=10)
    np.testing.assert_allclose(
        shaded(step[:290], error[:290]), [(0, 200), (210, 240), (250, 289)], atol=10
    )


def test_a_run_that_never_learns_is_one_plateau_and_a_steady_fall_has_none():
    step = np.linspace(0, 5000, 300)
    noise = np.random.default_rng(0).normal(0, 0.01, step.shape)
    assert shaded(step, CHANCE * 10**noise) == [(0, 5000)]
    assert shaded(step, 10 ** (-step / 2500)) == []
    assert len(shaded(step, np.zeros(300))) == 1  # an error of zero is drawn at the floor


@pytest.mark.parametrize("num_points", [0, 1, 2, 19])
def test_too_few_points_have_no_plateau(num_points):
    assert shaded(np.arange(num_points, dtype=float), np.full(num_points, 0.3)) == []


def test_smoothing_keeps_constants_and_skips_what_is_not_finite():
    error = np.full(20, 0.25)
    np.testing.assert_allclose(smooth(error, 5), error)
    error[3], error[9] = np.nan, np.inf
    np.testing.assert_allclose(smooth(error, 5), np.full(20, 0.25))
    np.testing.assert_allclose(smooth(np.array([0.1, 0.001]), 99), [0.01, 0.01])


# The learning curve.


def test_learning_curve_draws_what_it_is_given():
    history = make_history()
    (axes,) = plots.learning_curve(history, CHANCE, threshold=0.002).axes
    np.testing.assert_array_equal(line(axes, "one batch").get_xdata(), history["step"])
    np.testing.assert_array_equal(line(axes, "one batch").get_ydata(), history["train"])
    np.testing.assert_array_equal(line(axes, "validation").get_xdata(), history["val_step"])
    np.testing.assert_array_equal(line(axes, "validation").get_ydata(), history["val"])
    assert set(line(axes, "chance 0.333").get_ydata()) == {CHANCE}
    assert set(line(axes, "solved 0.002").get_ydata()) == {0.002}
    assert {text.get_text() for text in axes.texts} == {"chance 0.333", "solved 0.002"}
    assert axes.get_yscale() == "log"


def test_learning_curve_shades_its_plateaus():
    step = np.arange(0.0, 2000.0, 5.0)
    history = {"step": step, "train": staircase(step), "val_step": [], "val": []}
    figure = plots.learning_curve(history, CHANCE)
    patches = [patch for patch in figure.axes[0].patches if patch.get_gid() == "plateau"]
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]
    np.testing.assert_allclose(spans, shaded(step, staircase(step)))
    np.testing.assert_allclose(spans, [(0, 600), (800, 1400)], atol=20)
    assert "plateau" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_learning_curve_of_one_step_and_with_gaps():
    one = {"step": [0], "train": [0.3], "val_step": [], "val": []}
    plots.learning_curve(one, CHANCE).draw_without_rendering()
    history = make_history()
    history["train"][7:9] = np.nan, np.inf
    drawn = line(plots.learning_curve(history, CHANCE).axes[0], "one batch").get_ydata()
    assert np.isnan(drawn[7:9]).all()
    assert np.isfinite(np.delete(drawn, [7, 8])).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": np.full(300, np.nan)}, "finite training error"),
        ({"train": [0.1]}, "300 steps and 1 training errors"),
        ({"val": [0.1]}, "6 steps and 1 validation errors"),
    ],
)
def test_learning_curve_refuses_what_it_cannot_draw(change, message):
    with pytest.raises(ValueError, match=message):
        plots.learning_curve({**make_history(), **change}, CHANCE)


def test_history_after_a_resume(tmp_path):
    """Killed at 40, resumed from 20: the later version has the word from its first step on."""
    first = [*train_rows([0, 10, 20, 30, 40], 0.5), {"step": 10, "val/error": 0.6}]
    first += [{"step": 35, "val/error": 0.7}]
    write_metrics(tmp_path / "version_9" / "metrics.csv", first)
    second = [*train_rows([30, 50], 0.1), {"step": 50, "val/error": 0.2}]
    write_metrics(tmp_path / "version_10" / "metrics.csv", second)
    # Validating the finished run writes a version without training.
    write_metrics(tmp_path / "version_11" / "metrics.csv", [{"step": 0, "val/error": 0.01}])
    assert plots.read_history(tmp_path) == {
        "step": [0, 10, 20, 30, 50],
        "train": [0.5, 0.5, 0.5, 0.1, 0.1],
        "val_step": [10, 50],
        "val": [0.6, 0.2],
    }


def test_history_of_a_killed_run_may_end_in_half_a_line(tmp_path):
    path = tmp_path / "version_0" / "metrics.csv"
    path.parent.mkdir()
    path.write_text("epoch,step,train/error,val/error\n0,0,0.5,\n0,10,0.4,\n0,2")
    assert plots.read_history(tmp_path)["step"] == [0, 10]


def test_no_logs_are_no_history(tmp_path):
    assert plots.read_history(tmp_path / "logs") is None
    write_metrics(tmp_path / "version_0" / "metrics.csv", [])
    assert plots.read_history(tmp_path) is None


# The error after each number of queries.


def test_error_after_queries_draws_what_it_is_given():
    evaluation = make_evaluation()
    (axes,) = plots.error_after_queries(evaluation).axes
    for name, errors in evaluation["errors"].items():
        drawn = line(axes, name)
        np.testing.assert_array_equal(drawn.get_xdata(), np.arange(1, 13))
        known = np.array(errors) > 0
        np.testing.assert_allclose(drawn.get_ydata()[known], np.array(errors)[known])
    assert set(line(axes, "chance").get_ydata()) == {CHANCE}
    (limit,) = [line for line in axes.get_lines() if line.get_gid() == "limit"]
    assert set(limit.get_xdata()) == {3}
    names = [text.get_text() for text in axes.texts]
    assert {"agent", "always zero (chance)", "exact solver (limit)"} < set(names)


def test_zeros_of_the_exact_solver_are_drawn_below_everything_else():
    evaluation = make_evaluation()
    (axes,) = plots.error_after_queries(evaluation).axes
    floor = line(axes, ExactSolver.name).get_ydata()[-1]
    assert 0 < floor < min(evaluation["errors"]["agent"])
    assert axes.get_ylim()[0] < floor


@pytest.mark.parametrize("errors", [[0.3, 0.1], [0.1, 0.3]])
def test_names_of_lines_that_end_together_stay_apart_and_below_the_top(errors):
    evaluation = make_evaluation()
    evaluation |= {"errors": dict.fromkeys("abcdef", errors), "standard_error": {}}
    figure = plots.error_after_queries(evaluation)
    heights = sorted(text.xy[1] for text in figure.axes[0].texts if text.get_text() in "abcdef")
    assert (np.diff(heights) > 0.05).all()
    assert heights[-1] <= 1


def test_every_baseline_has_its_own_colour():
    names = [solver.name for solver in SOLVERS.values()]
    assert set(names) <= set(METHOD_COLOURS)
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)
    assert ExactSolver.name == EXACT_SOLVER


def test_zero_has_a_tick_of_its_own_and_the_limit_a_mark_only_where_an_exact_solver_ran():
    evaluation = make_evaluation()
    (axes,) = plots.error_after_queries(evaluation).axes
    (tick,) = [text for text in axes.texts if text.get_text() == "0"]
    assert tick.xy[1] == line(axes, ExactSolver.name).get_ydata()[-1]
    del evaluation["errors"][ExactSolver.name]
    (axes,) = plots.error_after_queries(evaluation).axes
    assert "0" not in [text.get_text() for text in axes.texts]
    assert all(line.get_gid() != "limit" for line in axes.get_lines())


@pytest.mark.parametrize(
    ("task", "label"),
    [
        ({"init_args": {"error": "mse"}}, "error (MSE) of the answer"),
        ({"init_args": {"error": "l1"}}, "error (L1) of the answer"),
        ({"init_args": {"error": "huber"}}, "error of the answer"),
        ({}, "error of the answer"),
    ],
)
def test_the_error_has_the_name_that_the_task_gives_it(task, label):
    (axes,) = plots.error_after_queries(make_evaluation() | {"task": task}).axes
    assert axes.get_ylabel() == label


def test_chance_is_named_where_no_method_has_it():
    evaluation = make_evaluation()
    del evaluation["errors"]["always zero"]
    (axes,) = plots.error_after_queries(evaluation).axes
    assert "chance" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("num_outputs", [1, 30])
def test_error_after_queries_of_odd_sizes(num_outputs):
    evaluation = make_evaluation()
    evaluation["num_outputs"] = num_outputs
    evaluation["errors"]["agent"][2] = float("nan")
    plots.error_after_queries(evaluation).draw_without_rendering()
    evaluation["errors"] = {"agent": [CHANCE]}
    evaluation["standard_error"] = {"agent": [0.1]}
    plots.error_after_queries(evaluation).draw_without_rendering()


def test_methods_with_different_numbers_of_queries_are_refused():
    evaluation = make_evaluation()
    evaluation["errors"]["agent"].pop()
    with pytest.raises(ValueError, match="'agent': 11"):
        plots.error_after_queries(evaluation)


# Rollouts and messages.


def test_rollouts_draw_actions_targets_error_and_messages():
    record = make_record()
    top, middle, bottom = plots.rollouts(record).axes
    for rollout in range(3):
        assert drawn(middle, record["loss"][:, rollout])
        for j in range(2):
            assert drawn(top, record["action"][:, rollout, j])
            assert drawn(top, [record["target"][rollout, j]] * 2)
    for expert in range(5):
        assert drawn(bottom, record["message"][:, 0, expert, shown_channel(bottom)])


@pytest.mark.parametrize("reach", [0.5, 3.0, 12.0, 4000.0])
def test_targets_stay_readable_and_no_action_is_clipped(reach):
    record = make_record()
    record["action"][0, 0, 0] = -reach
    axes = plots.rollouts(record).axes[0]
    low, high = axes.get_ylim()
    assert low < -reach
    assert high > np.abs(record["action"]).max()
    ticks = axes.get_yticks()
    assert len(set(ticks)) == len(ticks)
    place = axes.transData.transform(np.array([[0, low], [0, -1], [0, 1], [0, high]]))[:, 1]
    assert place[2] - place[1] > 0.2 * (place[3] - place[0])


def drawn(axes, heights):
    """The lines through these heights."""
    return [line for line in axes.get_lines() if np.array_equal(line.get_ydata(), heights)]


def shown_channel(axes):
    return int(axes.get_ylabel().split()[-1].rstrip(")"))


def test_at_most_ten_rollouts_are_drawn_one_after_the_other():
    top, _, bottom = plots.rollouts(make_record(num_rollouts=12)).axes
    assert [text.get_text() for text in bottom.get_xticklabels()] == [str(r) for r in range(1, 11)]
    starts = [line.get_xdata()[0] for line in top.get_lines() if len(line.get_xdata()) == 4]
    assert sorted(set(starts)) == [5 * rollout for rollout in range(10)]


def test_expert_has_the_colour_of_its_output():
    record = make_record(num_experts=3, num_outputs=3)
    top, _, bottom = plots.rollouts(record).axes
    for j in range(3):
        (action,) = drawn(top, record["action"][:, 0, j])
        (message,) = drawn(bottom, record["message"][:, 0, j, shown_channel(bottom)])
        assert same_color(action.get_color(), message.get_color())


def test_heat_maps_are_the_messages_with_one_scale():
    record = make_record()
    images = [image for axes in plots.communication(record).axes for image in axes.get_images()]
    assert len(images) == 3 * 3
    limits = {image.get_clim() for image in images}
    assert len(limits) == 1
    ((low, high),) = limits
    assert low == -high
    messages = record["message"].transpose(1, 3, 2, 0).reshape(9, 5, 4)
    for image in images:
        assert any(np.array_equal(image.get_array(), message) for message in messages)


def test_the_channels_that_vary_most_are_shown():
    record = make_record(num_channels=8)
    record["message"] *= np.array([1, 9, 1, 1, 8, 1, 7, 1])
    labels = [axes.get_ylabel() for axes in plots.communication(record).axes]
    assert [label.split()[1] for label in labels if "channel" in label] == ["1", "4", "6"]


def test_messages_without_a_channel_cannot_be_a_heat_map():
    record = make_record(num_channels=0)
    plots.rollouts(record).draw_without_rendering()
    with pytest.raises(ValueError, match="at least one channel"):
        plots.communication(record)


# The graph.


def edges_of(graph):
    return np.array(nx.convert_node_labels_to_integers(graph).to_directed().edges, dtype=int).T


def test_a_directed_graph_has_arrows_and_an_undirected_one_has_none():
    record = make_record()
    figure = plots.topology(record)
    assert len(find(figure.axes[0], "LineCollection").get_segments()) == 5
    assert len(find(figure.axes[0], "PolyCollection").get_paths()) == 5
    assert figure.get_suptitle() == "5 experts, 5 edges"
    record["edge_index"] = edges_of(nx.cycle_graph(5))
    record["edge_weight"] = np.ones(10)
    figure = plots.topology(record)
    assert find(figure.axes[0], "PolyCollection") is None
    assert figure.get_suptitle() == "5 experts, 5 connections"


def find(axes, kind):
    found = [c for c in axes.collections if type(c).__name__ == kind]
    return found[0] if found else None


def test_arrows_point_at_the_expert_that_hears():
    record = make_record()
    axes = plots.topology(record).axes[0]
    place = layout(record["edge_index"], 5)
    tips = [path.vertices[0] for path in find(axes, "PolyCollection").get_paths()]
    for tip, target in zip(tips, record["edge_index"][1], strict=True):
        assert np.argmin(np.linalg.norm(place - tip, axis=1)) == target


def test_connections_are_halves_in_the_colours_of_both_experts():
    record = make_record()
    record |= {"edge_index": edges_of(nx.cycle_graph(5)), "edge_weight": np.ones(10)}
    lines = find(plots.topology(record).axes[0], "LineCollection")
    place = layout(record["edge_index"], 5)
    colours = expert_colours(5, 2)
    for (source, target), segment, colour in zip(
        record["edge_index"].T, lines.get_segments(), lines.get_colors(), strict=True
    ):
        np.testing.assert_allclose(segment[-1], (place[source] + place[target]) / 2, atol=1e-9)
        assert same_color(colour[:3], colours[source])


def test_every_edge_leaves_the_experts_free_and_ends_at_its_arrow_head():
    record = make_record()
    record["edge_index"][1, 0] = 0  # an edge to itself
    axes = plots.topology(record).axes[0]
    place = layout(record["edge_index"], 5)
    heads = [path.vertices for path in find(axes, "PolyCollection").get_paths()]
    radius = find(axes, "EllipseCollection").get_widths()[0] / 2
    for segment, head in zip(find(axes, "LineCollection").get_segments(), heads, strict=True):
        np.testing.assert_allclose(segment[-1], head[1:3].mean(axis=0), atol=1e-9)
        for point in (segment[0], head[0]):
            assert np.linalg.norm(place - point, axis=1).min() > radius


def test_width_grows_with_weight():
    record = make_record()
    record["edge_weight"] = np.array([0.0, 1.0, 2.0, -3.0, 4.0])
    widths = find(plots.topology(record).axes[0], "LineCollection").get_linewidths()
    assert (np.diff(widths) > 0).all()


def test_a_ring_and_a_grid_look_like_themselves():
    ring = layout(edges_of(nx.cycle_graph(12)), 12)
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 1, atol=0.02)
    index = edges_of(nx.grid_2d_graph(4, 4))
    grid = layout(index, 16)
    lengths = np.linalg.norm(grid[index[0]] - grid[index[1]], axis=1)
    assert lengths.max() < 1.4 * lengths.min()


@pytest.mark.parametrize("num_experts", [1, 2, 3, 33, 100])
@pytest.mark.parametrize("make", [nx.empty_graph, nx.path_graph, nx.complete_graph])
def test_layout_keeps_experts_apart_within_the_unit_circle(make, num_experts):
    index = edges_of(make(num_experts)).reshape(2, -1)
    place = layout(index, num_experts)
    assert place.shape == (num_experts, 2)
    assert np.isfinite(place).all()
    assert (np.linalg.norm(place, axis=1) < 1 + 1e-9).all()
    assert len(np.unique(place.round(6), axis=0)) == num_experts


def test_animation_has_a_frame_for_every_inner_step(tmp_path):
    path = plots.animate(make_record(num_steps=7), tmp_path / "rollout.gif", rollout=2)
    with Image.open(path) as image:
        assert image.format == "GIF"
        assert image.n_frames == 7


def test_animation_of_the_default_agent_is_small_and_keeps_its_colours(tmp_path):
    record = make_record(num_steps=20, num_experts=16, num_outputs=4)
    path = plots.animate(record, tmp_path / "rollout.gif")
    assert path.stat().st_size < 2e6
    with Image.open(path) as image:
        image.seek(19)
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for colour in output_colours(4):
        wanted = 255 * np.array(to_rgb(colour))
        assert np.abs(pixels - wanted).sum(axis=1).min() < 12


@pytest.mark.parametrize("rollout", [-1, 3])
def test_animation_of_a_rollout_that_is_not_there(tmp_path, rollout):
    with pytest.raises(ValueError, match=f"between 0 and 2, got {rollout}"):
        plots.animate(make_record(), tmp_path / "rollout.gif", rollout=rollout)


def test_first_principal_component():
    """States on one line are shown by their place on it."""
    place = np.linspace(-1, 1, 12).reshape(4, 3)
    hidden = place[..., None] * np.array([3.0, 4.0]) + np.array([10.0, -7.0])
    projected = principal_component(hidden)
    scaled = np.clip(place / np.quantile(np.abs(place), 0.98), -1, 1)
    np.testing.assert_allclose(np.abs(projected), np.abs(scaled), atol=1e-9)
    assert abs(np.corrcoef(projected.ravel(), place.ravel())[0, 1]) > 0.999


# Odd records.


def without_edges(record):
    return record | {"edge_index": np.zeros((2, 0), int), "edge_weight": np.zeros(0)}


def not_finite(record):
    for name in ("action", "loss", "message", "hidden"):
        record[name][1], record[name][2] = np.nan, np.inf
    record["edge_weight"][0] = np.nan
    return record


ODD_RECORDS = {
    "one expert": without_edges(make_record(num_experts=1, num_outputs=1)),
    "one output": make_record(num_outputs=1),
    "no edges": without_edges(make_record()),
    "one rollout": make_record(num_rollouts=1),
    "one step": make_record(num_steps=1),
    "one channel": make_record(num_channels=1),
    "itself alone": make_record() | {"edge_index": np.stack([np.arange(5)] * 2)},
    "more outputs than experts": make_record(num_outputs=8),
    "not finite": not_finite(make_record()),
    "all zero": {
        name: array if name == "edge_index" else 0 * array for name, array in make_record().items()
    },
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ODD_RECORDS)
def test_odd_records_are_drawn(name, tmp_path):
    record = ODD_RECORDS[name]
    before = {key: array.copy() for key, array in record.items()}
    for draw in (plots.rollouts, plots.communication, plots.topology):
        draw(record).savefig(tmp_path / "figure.png", dpi=40)
    plots.animate(record, tmp_path / "rollout.gif")
    for key, array in record.items():
        np.testing.assert_array_equal(array, before[key])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": np.zeros((4, 4))}, r"loss must have the shape \[T, R\] .* got \(4, 4\)"),
        ({"target": np.zeros(3)}, r"target must have the shape \[R, d\]"),
        ({"edge_weight": np.zeros(3)}, r"edge_weight must have the shape \[E\]"),
        ({"edge_index": np.full((2, 5), 5)}, "the experts 0 to 4 of one agent, got 5 to 5"),
    ],
)
@pytest.mark.parametrize("draw", [plots.rollouts, plots.communication, plots.topology])
def test_malformed_records_are_refused(draw, change, message):
    with pytest.raises(ValueError, match=message):
        draw({**make_record(), **change})


def test_a_record_of_no_rollout_is_refused():
    with pytest.raises(ValueError, match="R of at least 1"):
        plots.rollouts(make_record(num_rollouts=0))


# All figures of a run.


@pytest.fixture
def run_folder(tmp_path):
    (tmp_path / "evaluation.json").write_text(json.dumps(make_evaluation()))
    np.savez(tmp_path / "rollouts.npz", **make_record())
    write_metrics(tmp_path / "logs" / "version_0" / "metrics.csv", train_rows([0, 10], 0.3))
    return tmp_path


def names(paths):
    return [Path(path).name for path in paths]


def test_save_all_writes_every_figure_and_leaves_matplotlib_alone(run_folder):
    settings = dict(mpl.rcParams)
    paths = plots.save_all(run_folder)
    assert dict(mpl.rcParams) == settings
    figures = ["learning_curve", "error_after_queries", "rollouts", "communication", "topology"]
    assert names(paths) == [*(f"{name}.png" for name in figures), "rollout.gif"]
    for path in paths:
        assert path.parent == run_folder
        with Image.open(path) as image:
            image.load()
            assert image.format == path.suffix[1:].upper()
            assert min(image.size) > 200
            assert len(image.convert("RGB").getcolors(2**20)) > 10


def test_save_all_without_logs(run_folder):
    (run_folder / "logs" / "version_0" / "metrics.csv").unlink()
    assert "learning_curve.png" not in names(plots.save_all(run_folder))


@pytest.mark.parametrize("name", ["evaluation.json", "rollouts.npz"])
def test_save_all_names_the_missing_file(run_folder, name):
    (run_folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        plots.save_all(run_folder)


def test_pickled_objects_are_not_loaded(run_folder):
    np.savez(run_folder / "rollouts.npz", action=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        plots.save_all(run_folder)
