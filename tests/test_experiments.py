"""The experiments: known limits, error bars by hand, and figures that draw what the JSON says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from authors_stand_in import MultitaskAgent
from command_line import refuse, succeed

from badger_graph import GuessingGame, load_agent, load_authors, load_learner, plots, unroll
from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.baselines import AlwaysZero, error_after_queries
from badger_graph.evaluation import evaluate
from badger_graph.experiments.paper import jobs
from badger_graph.experiments.paper.error_against_experts import ErrorAgainstExperts, tasks_for
from badger_graph.experiments.paper.error_against_outputs import ErrorAgainstOutputs
from badger_graph.experiments.paper.error_bars import curves, largest_rise
from badger_graph.experiments.paper.jobs import (
    Row,
    expert_rule,
    hears_top_k,
    named_groups,
    shipped_groups,
)
from badger_graph.experiments.paper.limits import exact_error, limits
from badger_graph.experiments.paper.long_lives import errors_of_life, noted_steps
from badger_graph.experiments.paper.published import AGAINST_EXPERTS, AGAINST_OUTPUTS
from badger_graph.experiments.paper.relative_error import (
    ExpertRule,
    Measurement,
    can_live,
    relative_error,
)
from badger_graph.experiments.runner import command, run
from badger_graph.library.shipping import read_policy, write_policy
from topologies import AttentionTopology

FEW = {"num_steps": 5, "num_tasks": 6}


@pytest.fixture
def groups(tmp_path: Path) -> dict[str, list[str]]:
    """Two seeds of a recipe and a single policy, made of the shipped one."""
    card, weights = read_policy("micro_badger")
    names = []
    for k, name in enumerate(("pair-0", "pair-1", "alone")):
        changed = {key: tensor * (1 + 0.01 * k) for key, tensor in weights.items()}
        file = tmp_path / f"{name}.safetensors"
        write_policy(file, card, changed)
        names.append(str(file))
    return {"pair": names[:2], "alone": names[2:]}


def row(policy: str, size: int, error: float, bar: float = 0.0) -> Row:
    measured = {"error": error, "standard_error": bar}
    return {"group": "g", "policy": policy, "num_experts": size, **measured}


def sizes(rows: list[Row]) -> list[tuple[int, int]]:
    return [(row["num_outputs"], row["num_experts"]) for row in rows]


# ------------------------------------------------------------------------------------ measuring


def test_errors_of_a_life_are_those_of_a_rollout() -> None:
    noted = errors_of_life("micro_badger", num_steps=45, num_tasks=3, seed=5)
    assert list(noted) == noted_steps(45)
    assert {1, 20, 40} <= noted.keys()
    generator = torch.Generator().manual_seed(5)
    task = GuessingGame().sample(3, 4, generator)
    with torch.no_grad():
        loss = unroll(load_agent("micro_badger"), task, 16, 45, generator).loss
    assert noted[40] == pytest.approx(loss[39].mean().item(), rel=1e-6)


def test_relative_error_is_that_of_evaluate(tmp_path: Path) -> None:
    learner = load_learner("micro_badger")
    result = evaluate(
        "micro_badger", num_tasks=20, seed=4, baselines=False, figures=False, folder=str(tmp_path)
    )
    measured = relative_error(load_agent("micro_badger"), learner.task, 16, 4, 20, 20, 4)
    assert measured.error == pytest.approx(3 * result["errors"]["agent"][-1], rel=1e-6)
    # evaluate divides by B, this by B - 1.
    bar = 3 * result["standard_error"]["agent"][-1] * math.sqrt(20 / 19)
    assert measured.standard_error == pytest.approx(bar, rel=1e-6)


def test_what_the_authors_saved_is_measured_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = str(tmp_path / "theirs.pth")
    torch.save(MultitaskAgent(HIDDEN=6, KEY=4, ID=3, INPUT_CHUNK=4, N_INPUTS=0).state_dict(), file)
    out = str(tmp_path / "errors.json")
    result = run(ErrorAgainstOutputs({"theirs": [file]}, 2, **FEW, workers=1), out)
    assert sizes(result["rows"]) == [(1, 20), (2, 20)]
    expected = relative_error(load_authors(file), GuessingGame(), 20, 2, **FEW, seed=2)
    assert result["rows"][1]["error"] == pytest.approx(expected.error, rel=1e-6)


def test_large_agents_live_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badger_graph.experiments.paper.relative_error.PAIRS_AT_ONCE", 3 * 8**2)
    agent, game = load_agent("micro_badger"), GuessingGame()
    measured = relative_error(agent, game, 8, 2, 4, num_tasks=7, seed=0)
    generator, losses = torch.Generator().manual_seed(0), []
    with torch.no_grad():
        for batch in (3, 3, 1):
            task = game.sample(batch, 2, generator)
            losses.append(unroll(agent, task, 8, 4, generator).loss[-1])
    assert measured.error == pytest.approx(3 * torch.cat(losses).mean().item(), rel=1e-6)


def test_one_task_has_no_error_bar() -> None:
    with pytest.raises(ValueError, match="needs at least two tasks, got num_tasks=1"):
        relative_error(load_agent("micro_badger"), GuessingGame(), 8, 2, 4, 1, 0)


def test_can_live() -> None:
    agent = load_agent("micro_badger")  # four in-links, an expert for every output
    assert [can_live(agent, n, 6) for n in (4, 5, 6, 7)] == [False, False, True, True]
    assert not can_live(agent, 4, 2)


def test_expert_rules() -> None:
    assert ExpertRule(num_experts=20)(3) == 20
    assert ExpertRule(spare_experts=6)(3) == 9
    for rule in (ExpertRule(), ExpertRule(1, 2)):
        with pytest.raises(ValueError, match="either num_experts or spare_experts"):
            rule(3)
    assert expert_rule("micro_badger", ExpertRule()) == ExpertRule(num_experts=16)
    assert expert_rule("micro_badger", ExpertRule(None, 6)) == ExpertRule(spare_experts=6)


def test_seeds_of_one_recipe_are_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a-b-0", "a-b-1", "micro_badger", "rec-0", "rec_d3-0"]
    monkeypatch.setattr(jobs, "shipped_policies", lambda: [*names, "tables-0"])
    monkeypatch.setattr(jobs, "_guesses", lambda name: name != "tables-0")
    ends = {"a-b": ["a-b-0", "a-b-1"], "rec": ["rec-0"]}
    assert shipped_groups(stages=False) == ends
    assert shipped_groups() == {**ends, "rec_d3": ["rec_d3-0"]}
    named = {"rec": ["rec-0"], "a.ckpt,b": ["a.ckpt", "b"], "rec-0": ["rec-0"]}
    assert named_groups(named) == named
    monkeypatch.setattr(jobs, "shipped_policies", lambda: ["micro_badger"])
    with pytest.raises(ValueError, match=r"must be shipped as <recipe>-<seed>.* got micro_badger"):
        shipped_groups()


# --------------------------------------------------------------------------------------- limits


def test_exact_solver_is_exact_where_queries_suffice() -> None:
    for num_outputs in (1, 4):
        assert exact_error(num_outputs, num_outputs + 1, 30, 0) < 1e-12
    # One query short, one coordinate stays at zero, which errs like chance.
    assert exact_error(4, 4, 2000, 0) == pytest.approx(1 / 4, abs=0.03)
    assert exact_error(20, 20, 200, 0) == pytest.approx(1 / 20, abs=0.01)


def test_chance_and_the_mean() -> None:
    d, tasks = 5, 3000
    target = GuessingGame().sample(tasks, d, torch.Generator().manual_seed(0)).target.double()

    def error(guess: np.ndarray, of: np.ndarray) -> float:
        return float(np.square(guess - of).mean())

    zero = 3 * error_after_queries(AlwaysZero(), target.numpy(), 1, error, error, 0)[-1]
    mean = 3 * (target - target.mean(dim=1, keepdim=True)).square().mean(dim=1)
    at_five = limits(d, 5, 10, 0)
    assert at_five["chance"] == pytest.approx(zero.mean(), abs=4 * zero.std() / tasks**0.5)
    bar = 4 * mean.std().item() / tasks**0.5
    assert at_five["all outputs equal the mean"] == pytest.approx(mean.mean().item(), abs=bar)


def test_published_curves_are_those_of_the_figure() -> None:
    for curve in (*AGAINST_OUTPUTS.values(), *AGAINST_EXPERTS.values()):
        assert len(curve["x"]) == len(curve["error"])
        assert curve["x"] == sorted(curve["x"])
    at_six = {name: curve["error"][curve["x"].index(6)] for name, curve in AGAINST_OUTPUTS.items()}
    assert list(at_six.values()) == [0.64, 0.15, 0.13]
    assert AGAINST_EXPERTS["published"]["error"][AGAINST_EXPERTS["published"]["x"].index(6)] == 0.29


# ------------------------------------------------------------------------------------ error bars


def test_bar_of_several_policies_is_over_policies_and_of_one_over_tasks() -> None:
    assert mean_and_bar([0.1, 0.2, 0.3]) == pytest.approx((0.2, 0.1 / math.sqrt(3)))
    assert mean_and_bar([0.1]) == (0.1, 0)
    with pytest.raises(ValueError, match="at least one value, got none"):
        mean_and_bar([])
    several = [row("a", 6, 0.1), row("b", 6, 0.2), row("c", 6, 0.3)]
    curve = curves([*several, row("a", 8, 0.5, bar=0.25)], "num_experts")["g"]
    assert curve["x"] == [6, 8]
    assert curve["error"] == pytest.approx([0.2, 0.5])
    assert curve["error_bar"] == pytest.approx([0.1 / math.sqrt(3), 0.25])
    assert curve["policies"] == 3


def test_a_rise_beyond_the_bar_is_found() -> None:
    """Differences of 0.10 and 0.12 between two policies: 0.11 +- 12.706 * 0.01."""
    rows = [row("a", 6, 0.5), row("b", 6, 0.6), row("a", 9, 0.1), row("b", 9, 0.2)]
    rows += [row("a", 20, 0.20), row("b", 20, 0.32)]
    rise = largest_rise(rows, "num_experts")
    assert (rise["from"], rise["to"]) == (9, 20)
    assert rise["rise"] == pytest.approx(0.11)
    assert rise["bar"] == pytest.approx(12.706 * 0.01, rel=1e-3)
    assert not rise["rises"]
    rows[-1]["error"] = 0.301  # now they agree
    assert largest_rise(rows, "num_experts")["rises"]
    falling = [row(p, n, 1 / n + k / 100) for n in (6, 8, 16) for k, p in enumerate("abc")]
    assert not largest_rise(falling, "num_experts")["rises"]


def test_a_rise_of_one_policy_is_held_against_its_tasks() -> None:
    for error, rises in ((0.19, False), (0.21, True)):
        rows = [row("a", 6, 0.1, bar=0.03), row("a", 8, error, bar=0.04)]
        rise = largest_rise(rows, "num_experts")
        assert rise["bar"] == pytest.approx(1.96 * 0.05)
        assert rise["rises"] == rises
    with pytest.raises(ValueError, match=r"needs at least two sizes, got \[6\]"):
        largest_rise([row("a", 6, 0.1)], "num_experts")


# ------------------------------------------------------------------------------- the experiments


def against_outputs(groups: dict[str, list[str]], file: Path, **more: Any) -> dict[str, Any]:
    return run(ErrorAgainstOutputs(groups, max_outputs=4, spare_experts=4, **FEW, **more), file)


def test_error_against_outputs(groups: dict[str, list[str]], tmp_path: Path) -> None:
    file = tmp_path / "out" / "o.json"
    result = against_outputs(groups, file)
    assert json.loads(file.read_text()) == result
    rows = result["rows"]
    assert sizes(rows[:4]) == [(1, 5), (2, 6), (3, 7), (4, 8)]
    second = next(r for r in rows if "pair-1" in r["policy"] and r["num_outputs"] == 3)
    agent = load_agent(groups["pair"][1])
    alone = relative_error(agent, GuessingGame(), 7, 3, **FEW, seed=3)  # tasks of its own
    assert (second["error"], second["standard_error"]) == alone
    exact = result["limits"]["exact solver"]["error"]
    assert exact == pytest.approx([0, 0, 0, 0], abs=1e-12)  # 5 queries
    table = file.with_suffix(".md").read_text()
    assert table == ErrorAgainstOutputs.markdown(result) + "\n"
    assert "| d | pair (2 seeds) | alone (1 seed) |" in table
    assert file.with_suffix(".png").stat().st_size > 0


def test_what_was_measured_is_not_measured_again(
    groups: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "o.json"
    first = against_outputs(groups, file)
    measured: list[Row] = []

    def pretend(agent: object, sizes: Row) -> Any:
        measured.append(sizes)
        return Measurement(9.0, 1.0)

    monkeypatch.setattr(jobs, "_measure", pretend)
    assert against_outputs(groups, file) == first
    card, weights = read_policy(groups["alone"][0])
    write_policy(Path(groups["alone"][0]), card, {k: 2 * tensor for k, tensor in weights.items()})
    again = against_outputs(groups, file)
    assert {r["policy"] for r in measured} == {groups["alone"][0]}  # the one that changed
    assert again["curves"]["pair"] == first["curves"]["pair"]
    assert again["curves"]["alone"]["error"] == [9.0] * 4
    alone = {"alone": groups["alone"]}
    fewer = run(ErrorAgainstOutputs(alone, max_outputs=2, spare_experts=4, **FEW), file)
    assert fewer["curves"]["alone"]["error"] == [9.0] * 2
    assert len(fewer["rows"]) == 2 + 2 + 8  # asked for; the larger d; the other group


def test_error_against_experts(groups: dict[str, list[str]], tmp_path: Path) -> None:
    file = tmp_path / "n.json"
    result = run(ErrorAgainstExperts(groups, experts=[2, 6, 8, 12], **FEW), file)
    assert json.loads(file.read_text()) == result
    assert result["curves"]["pair"]["x"] == [6, 8, 12]  # an expert for every output
    assert result["largest_rise"].keys() == {"pair", "alone"}
    assert "- pair: **it " in file.with_suffix(".md").read_text()
    assert file.with_suffix(".png").stat().st_size > 0


def test_fewer_tasks_for_large_agents() -> None:
    assert [tasks_for(n, 1000) for n in (1, 100, 200, 1000, 5000)] == [1000, 1000, 500, 100, 100]
    assert tasks_for(1000, 50) == 50


def test_figures_draw_what_the_json_says(groups: dict[str, list[str]], tmp_path: Path) -> None:
    outputs, experts = tmp_path / "o.json", tmp_path / "n.json"
    against_outputs(groups, outputs)
    run(ErrorAgainstExperts(groups, experts=[6, 8], **FEW), experts)
    for file, draw in (
        (outputs, plots.error_against_outputs),
        (experts, plots.error_against_experts),
    ):
        saved = json.loads(file.read_text())
        for axes in draw(saved).axes:
            lines = {str(line.get_label()): line for line in axes.get_lines()}
            for name, label in (("pair", "pair (2 seeds)"), ("alone", "alone (1 seed)")):
                np.testing.assert_allclose(lines[label].get_xdata(), saved["curves"][name]["x"])
                np.testing.assert_allclose(lines[label].get_ydata(), saved["curves"][name]["error"])
            for name, curve in saved["published"].items():
                np.testing.assert_allclose(lines[name].get_ydata(), curve["error"])
            assert set(saved["limits"]) <= lines.keys()


def test_attention_is_measured_with_the_best_alone_too(tmp_path: Path) -> None:
    agent = load_agent("recurrent-0")
    found = run(ErrorAgainstExperts({"r": ["recurrent-0"]}, [8, 9], **FEW), tmp_path / "n.json")
    assert found["curves"].keys() == found["largest_rise"].keys() == {"r", "r, top 8"}
    (all_8, all_9), (top_8, top_9) = (curve["error"] for curve in found["curves"].values())
    assert top_8 == pytest.approx(all_8, rel=1e-4)  # all of them are the best eight
    assert abs(top_9 - all_9) > 1e-4 * all_9
    assert isinstance(agent.topology, AttentionTopology)
    task = GuessingGame().sample(4, 3, torch.Generator().manual_seed(0))
    fewer = hears_top_k(agent, 2)
    graph = unroll(fewer, task, 5, 2, torch.Generator().manual_seed(0)).graph
    assert graph.edge_index.shape == (2, 4 * 5 * 2)


def test_from_the_command_line(groups: dict[str, list[str]], tmp_path: Path) -> None:
    given = [f"--groups={json.dumps(groups)}", "--experts=[6, 9]", "--num_tasks=4", "--num_steps=3"]
    main = command(ErrorAgainstExperts)
    succeed(main, *given, cwd=tmp_path)
    saved = json.loads((tmp_path / "results/error_against_experts.json").read_text())
    assert len(saved["rows"]) == 6
    wrong = refuse(main, "--groups={a: [b]}", cwd=tmp_path)
    assert wrong.startswith("error: a trained agent must be a checkpoint file or one of the")
    assert refuse(main, "--number=3", cwd=tmp_path).endswith("-h shows the flags\n")
