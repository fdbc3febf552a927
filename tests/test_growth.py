"""Growing and shrinking: exact where nothing may change, as predicted where it must."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_inputs.command_line import main_of
from command_line import succeed
from properties import (
    Nearest,
    assert_gradients_reach_every_parameter,
    assert_refused,
    assert_split_lives_alone,
    double_precision,
    edited,
    every_executor,
    seeded,
    small_agent,
    some_observation,
    tensors,
    uniform,
)
from properties import some_task as task_of
from torch import Tensor

from badger_graph import (
    AddressedMembrane,
    BadgerAgent,
    Birth,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Interface,
    Life,
    Membrane,
    add_experts,
    change_outputs,
    clone_experts,
    from_pyg,
    plots,
    remove_experts,
    rewire,
    to_pyg,
    unroll,
)
from badger_graph.executors.prepare import ExecutorName
from badger_graph.experiments.paper.growth import (
    Growth,
    PartlyReached,
    growth,
    situations,
    steps_until_back,
)
from topologies import (
    CompleteTopology,
    ErdosRenyiTopology,
    GivenGraph,
    IsolatedTopology,
    RandomTopology,
    Topology,
)

B, N, D = 3, 6, 2
RANDOM = Birth("random")
ALIKE = partial(HardwiredMembrane, see_action=False, see_role=False)
"""All experts perceive the same."""


def make(
    topology: Topology | None = None,
    membrane: Callable[..., Membrane] = HardwiredMembrane,
    birth: Birth = RANDOM,
    **arguments: Any,
) -> BadgerAgent:
    topology = topology or CompleteTopology()
    return small_agent(topology, membrane=membrane, birth=birth, **arguments)


some_task = partial(task_of, B)


def grown_up(agent: BadgerAgent, num_experts: int = N) -> Life:
    """Agents in mid-life."""
    with torch.no_grad():
        return unroll(agent, some_task(), num_experts, 3, seeded(1)).life


def step(agent: BadgerAgent, life: Life, seed: int = 5) -> Life:
    """One step, in which the agent is told one number."""
    observation = some_observation(B, life.num_outputs, seed)
    observation.outputs.zero_()
    return agent.step(life, observation, seeded(seed))


def of_agents(value: Tensor) -> Tensor:
    return value.unflatten(0, (B, -1))


def assert_same(one: Life, other: Life) -> None:
    expected = tensors(other)
    for name, tensor in tensors(one).items():
        assert torch.equal(tensor, expected[name]), name


def assert_near(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


Change = Callable[[BadgerAgent, Life], Life]

CHANGES: dict[str, Change] = {
    "add": lambda agent, life: add_experts(agent, life, 3, seeded(2)),
    "clone": lambda agent, life: clone_experts(agent, life, [1, 4, 4]),
    "clone fresh": lambda agent, life: clone_experts(agent, life, [1, 4], "fresh", seeded(2)),
    "clone perturbed": lambda agent, life: clone_experts(agent, life, [5], "perturbed", seeded(2)),
    "remove": lambda agent, life: remove_experts(agent, life, [0, 3]),
    "rewire": lambda agent, life: rewire(agent, life, RandomTopology(2, "agent"), seeded(2)),
    "outputs": lambda agent, life: change_outputs(agent, life, 4, seeded(2)),
}

every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


# ---------------------------------------------------------------------------------- any change


@every_change
@every_executor
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_changed_agents_live_on_and_those_before_are_unchanged(
    change: Change, executor: ExecutorName, dtype: torch.dtype
) -> None:
    agent = make(RandomTopology(3, "agent"), executor=executor).to(dtype)
    life = grown_up(agent)
    held = tensors(life)
    copies = {name: tensor.clone() for name, tensor in held.items()}
    changed = change(agent, life)
    assert torch.equal(changed.hidden, change(agent, life).hidden)
    num_experts = changed.num_experts
    task = some_task(changed.num_outputs)
    after = unroll(agent, task, num_experts, 2, seeded(3), life=changed)
    assert after.loss.dtype == dtype
    assert after.loss.isfinite().all()
    reference = make(executor="reference").to(dtype)
    expected = unroll(reference, task, num_experts, 2, seeded(3), life=edited(reference, changed))
    torch.testing.assert_close(after.loss, expected.loss, rtol=0, atol=1e-5)
    for name, tensor in tensors(life).items():
        assert tensor is held[name], f"{name} was replaced"
        assert torch.equal(tensor, copies[name]), f"{name} was overwritten"


@every_change
def test_nothing_leaks_between_agents(change: Change) -> None:
    with double_precision():
        agent = make(RandomTopology(3, "agent"))
        life = change(agent, grown_up(agent))
        assert (life.edges.index // life.num_experts).diff(dim=0).eq(0).all()
        assert_split_lives_alone(agent, life)
        for b in range(B):  # who is changed alone is changed alike
            changed = grown_up(agent)
            hidden = changed.hidden.clone()
            hidden[b * N : (b + 1) * N] += 1.0
            others = [k for k in range(B) if k != b]
            hidden = of_agents(change(agent, changed.with_hidden(hidden)).hidden)
            assert torch.equal(hidden[others], of_agents(life.hidden)[others])
            assert not torch.equal(hidden[b], of_agents(life.hidden)[b])


@every_change
def test_gradients_flow_through(change: Change) -> None:
    """Back into the life before, and into every weight."""
    agent = make()
    before = unroll(agent, some_task(), N, 3, seeded(1)).life
    life = change(agent, before)
    task = some_task(life.num_outputs)
    loss = unroll(agent, task, life.num_experts, 2, life=life).loss[-1].sum()
    (gradient,) = torch.autograd.grad(loss, before.hidden, retain_graph=True)
    assert of_agents(gradient)[:, 1].abs().sum(dim=1).all()
    assert_gradients_reach_every_parameter(loss, agent.policy)


@every_change
def test_what_is_kept_for_training_is_fit_for_it(change: Change) -> None:
    agent = make()
    with torch.inference_mode():
        life = change(agent, agent.reset(B, N, D, seeded(0)))
        unroll(agent, some_task(life.num_outputs), life.num_experts, 2, life=life)
    unroll(agent, some_task(), N, 2, seeded(0)).loss.sum().backward()


# ----------------------------------------------------------------------------------------- add


def test_add_then_remove_is_as_before() -> None:
    """To the bit, and so is the life after it."""
    agent = make(RandomTopology(3, "agent"))
    life = grown_up(agent)
    back = remove_experts(agent, add_experts(agent, life, 4, seeded(2)), range(N, N + 4))
    assert_same(back, life)
    assert torch.equal(step(agent, back).action, step(agent, life).action)
    clones = clone_experts(agent, life, [1, 1, 3])
    assert_same(remove_experts(agent, clones, range(N, N + 3)), life)


def test_a_grown_newborn_is_born_large() -> None:
    """Where nothing is drawn: the complete graph, fixed identifiers, states of zero."""
    agent = make(birth=Birth())
    grown = add_experts(agent, agent.reset(B, N, D), 3)
    large = agent.reset(B, N + 3, D)
    for name in ("hidden", "identifier", "kind", "action"):
        assert torch.equal(tensors(grown)[name], tensors(large)[name]), name
    pairs = (set(zip(*life.edges.index.tolist(), strict=True)) for life in (grown, large))
    assert next(pairs) == next(pairs)
    assert torch.equal(step(agent, grown).action, step(agent, large).action)


def test_newborn_links_are_those_of_the_topology() -> None:
    agent = make(RandomTopology(3, "agent"))
    life = grown_up(agent)
    grown = add_experts(agent, life, 2, seeded(2))
    large = N + 2
    degree = of_agents(grown.edges.index[1].bincount(minlength=B * large))
    assert degree[:, N:].eq(3).all()
    assert degree[:, :N].ge(3).all()
    old = (grown.edges.index % large < N).all(dim=0)
    moved = life.edges.index + life.edges.index // N * 2
    assert torch.equal(grown.edges.index[:, old], moved)
    assert torch.equal(of_agents(grown.hidden)[:, :N], of_agents(life.hidden))
    assert not of_agents(grown.hidden)[:, N:].any()
    other = add_experts(agent, life, 2, seeded(2), IsolatedTopology())
    assert torch.equal(other.edges.index, moved)


def test_newborn_fixed_identifiers_are_those_that_nobody_has() -> None:
    agent = make(birth=Birth())
    life = remove_experts(agent, agent.reset(B, N, D), [1])
    grown = of_agents(add_experts(agent, life, 2).identifier)
    seven = of_agents(agent.reset(B, N + 1, D).identifier)
    assert torch.equal(grown, seven[:, [0, 2, 3, 4, 5, 1, 6]])
    fresh = of_agents(clone_experts(agent, life, [0], "fresh").identifier)
    assert torch.equal(fresh[:, -1], seven[:, 1])


@pytest.mark.parametrize("through_pyg", [False, True])
def test_newborns_are_of_the_codebook_of_their_agent(through_pyg: bool) -> None:
    """Agents that were born alike stay alike: identifiers of newborns, addresses of new outputs."""
    birth = Birth("random", codebooks=2)
    agent = make(birth=birth, membrane=AddressedMembrane)
    life = agent.reset(8, N, D, seeded(0))
    if through_pyg:
        life = from_pyg(agent, to_pyg(life))
    grown = add_experts(agent, life, 2, seeded(1))
    more = change_outputs(agent, remove_experts(agent, grown, [0]), D + 1, seeded(2))
    books = birth.draw_identifiers((2, N + 2, 3), life.hidden, None, torch.arange(2))
    before, after = (of.identifier.unflatten(0, (8, -1)) for of in (life, grown))
    for born, now, address in zip(before, after, more.addresses.outputs, strict=True):
        alike = (before == born).flatten(1).all(dim=1)
        assert alike.sum() > 1
        assert (after[alike] == now).all()
        assert (more.addresses.outputs[alike] == address).all()
        assert any(torch.isin(now[N:], book).all() for book in books.unflatten(0, (2, -1)))


@pytest.mark.parametrize("size", [0, 3])
def test_identifiers_may_be_none_or_nothing(size: int) -> None:
    agent = make(birth=Birth("none"), identifier_size=size)
    grown = add_experts(agent, agent.reset(B, N, D), 2)
    assert torch.equal(grown.identifier, torch.zeros(B * (N + 2), size))


# --------------------------------------------------------------------------------------- clone


@every_executor
def test_cloning_every_expert_changes_nothing(executor: ExecutorName) -> None:
    """On any graph, weighted or not; where all perceive alike."""
    with double_precision():
        agent = make(ErdosRenyiTopology(0.4, "agent"), ALIKE, executor=executor)
        life = grown_up(agent)
        life = edited(agent, life, edge_weight=uniform(3, len(life.edges.weight)))
        double = clone_experts(agent, life, range(N))
        assert len(double.edges.weight) == 4 * len(life.edges.weight)
        for seed in range(3):
            life, double = step(agent, life, seed), step(agent, double, seed)
            assert_near(double.action, life.action)
            assert_near(of_agents(double.hidden), of_agents(life.hidden).repeat(1, 2, 1))


def test_a_clone_stays_what_its_original_is_and_is_heard_beside_it() -> None:
    """Others hear its message twice among one more: as on the old graph with other weights."""
    with double_precision():
        agent = make(RandomTopology(3, "agent"))
        life, cloned = grown_up(agent), N - 1  # speaks for no output, as its clone
        twin = clone_experts(agent, life, [cloned])
        source, target = life.edges.index
        is_clone = source % N == cloned
        degree = target.bincount(minlength=B * N)
        hears = torch.zeros(B * N).index_add(0, target, is_clone.to(life.edges.weight))
        share = degree / (degree + hears)
        weight = share[target] * torch.where(is_clone, 2.0, 1.0)
        weighted = edited(agent, life, edge_weight=weight)
        for seed in range(3):
            weighted, twin = step(agent, weighted, seed), step(agent, twin, seed)
            assert_near(twin.action, weighted.action)
            hidden = of_agents(twin.hidden)
            assert_near(hidden[:, :N], of_agents(weighted.hidden))
            assert_near(hidden[:, N], hidden[:, cloned])


def test_an_unheard_clone_changes_nothing_for_others() -> None:
    with double_precision():
        agent = make(GivenGraph(4, [[0, 1, 2], [1, 0, 3]]))
        life = grown_up(agent, 4)
        after, twin = step(agent, life), step(agent, clone_experts(agent, life, [3]))
        assert torch.equal(twin.action, after.action)
        assert torch.equal(of_agents(twin.hidden)[:, :4], of_agents(after.hidden))
        assert torch.equal(of_agents(twin.hidden)[:, 4], of_agents(after.hidden)[:, 3])


def test_clones_have_the_links_of_their_originals() -> None:
    """0 hears itself and 1; with two clones of 0 all three hear all three, and 1."""
    agent = make(GivenGraph(2, [[0, 1], [0, 0]], [0.5, 2.0]))
    life = clone_experts(agent, agent.reset(1, 2, 1), [0, 0])
    got = dict(
        zip(zip(*life.edges.index.tolist(), strict=True), life.edges.weight.tolist(), strict=True)
    )
    selves = [0, 2, 3]
    assert got == {
        **{(source, target): 0.5 for source in selves for target in selves},
        **{(1, target): 2.0 for target in selves},
    }


def test_identifiers_of_clones() -> None:
    agent = make()
    life = grown_up(agent)
    own = of_agents(life.identifier)[:, 4]
    of = {
        kind: of_agents(clone_experts(agent, life, [4], kind, seeded(2)).identifier)[:, -1]
        for kind in ("same", "fresh", "perturbed")
    }
    assert torch.equal(of["same"], own)
    noise = (of["perturbed"] - own).abs()
    assert noise.min() > 0
    assert noise.max() < 0.5
    assert (of["fresh"] - own).abs().max() > 0.5


# -------------------------------------------------------------------------------------- remove


@every_executor
def test_removing_the_unheard_changes_nothing_for_others(executor: ExecutorName) -> None:
    agent = make(executor=executor)
    life = grown_up(agent)
    heard = life.edges.index[0] % N != 4
    index, weight = life.edges.index[:, heard], life.edges.weight[heard]
    life = edited(agent, life, edge_index=index, edge_weight=weight)
    rest, left = remove_experts(agent, life, [4]), [0, 1, 2, 3, 5]
    for seed in range(3):
        life, rest = step(agent, life, seed), step(agent, rest, seed)
        torch.testing.assert_close(rest.action, life.action, rtol=0, atol=1e-6)
        for name in ("hidden", "identifier"):
            expected = of_agents(getattr(life, name))[:, left]
            torch.testing.assert_close(of_agents(getattr(rest, name)), expected, rtol=0, atol=1e-6)


def test_later_experts_move_up_with_their_links() -> None:
    agent = make(GivenGraph(4, [[0, 1, 2, 3], [1, 2, 3, 0]], [1.0, 2.0, 3.0, 4.0]))
    life = remove_experts(agent, agent.reset(2, 4, 1), [1])
    assert life.edges.index.tolist() == [[2, 1, 5, 4], [0, 2, 3, 5]]
    assert life.edges.weight.tolist() == [4.0, 3.0, 4.0, 3.0]


# -------------------------------------------------------------------------- rewire and outputs


def test_rewire_by_topology_and_by_edges() -> None:
    agent, topology = make(), RandomTopology(2)
    life = grown_up(agent)
    drawn = rewire(agent, life, topology)
    given = rewire(agent, life, topology(of_agents(life.hidden)))
    assert_same(drawn, given)
    assert torch.equal(step(agent, drawn).action, step(agent, given).action)
    assert not torch.equal(step(agent, drawn).action, step(agent, life).action)
    assert_same(rewire(agent, drawn, life.edges), life)


def test_new_outputs_start_at_zero_and_the_last_go() -> None:
    agent = make()
    life = grown_up(agent)
    more = change_outputs(agent, life, D + 2, seeded(2))
    assert torch.equal(more.action[:, :D], life.action)
    assert not more.action[:, D:].any()
    assert more.addresses.outputs.shape == (B, D + 2, 0)
    assert_same(change_outputs(agent, more, D), life)
    after = step(agent, more)
    said = of_agents(agent.policy.speak(after.hidden, after.traits))[:, : D + 2, 0]
    torch.testing.assert_close(after.action, said, rtol=0, atol=1e-6)


def test_no_two_outputs_get_one_fixed_address() -> None:
    """New outputs have those that newborn agents of as many outputs have."""
    agent = make(membrane=AddressedMembrane, birth=Birth(addresses="fixed"))
    life = change_outputs(agent, agent.reset(B, N, 2), 5)
    assert torch.equal(life.addresses.outputs, agent.reset(B, N, 5).addresses.outputs)
    assert len(life.addresses.outputs[0].unique(dim=0)) == 5


def test_inputs_stay_whatever_changes() -> None:
    """Their number and addresses; what is shown reaches the experts after a change, too."""
    interface = Interface(input=2, output=1)
    for membrane in (HardwiredMembrane, AddressedMembrane):
        agent = BadgerAgent(interface, GRUPolicy, RandomTopology(2), membrane, birth=RANDOM)
        life = agent.reset(B, N, D, seeded(0), num_inputs=2)
        for name, change in CHANGES.items():
            changed = change(agent, life)
            assert torch.equal(changed.addresses.inputs, life.addresses.inputs), name
            told = some_observation(B, changed.num_outputs, 0, interface, changed.num_inputs)
            after = agent.step(changed, told)
            other = agent.step(changed, told._replace(inputs=-told.inputs))
            assert not torch.allclose(after.hidden, other.hidden), name
        if membrane is HardwiredMembrane:
            message = (
                r"num_outputs \+ num_inputs <= num_experts, got .* num_inputs=2 and num_experts=3"
            )
            assert_refused(message, lambda: remove_experts(agent, life, [1, 2, 3]))  # noqa: B023


def test_a_graph_for_one_size_does_not_grow_by_itself() -> None:
    agent = make(GivenGraph(3, [[0, 1], [1, 2]]))
    life = agent.reset(B, 3, D)
    assert_refused("3", lambda: add_experts(agent, life, 1))
    grown = add_experts(agent, life, 1, topology=CompleteTopology())
    assert len(grown.edges.weight) == B * 8


def test_a_dynamic_topology_draws_the_links_of_the_changed() -> None:
    agent = make(Nearest(), birth=Birth("random", initial_state="random"))
    life = grown_up(agent)
    for name, change in CHANGES.items():
        if name == "rewire":
            assert_refused("must not be dynamic", lambda: CHANGES["rewire"](agent, life))
        else:
            changed = change(agent, life)
            after = step(agent, changed)
            edges = agent.topology(of_agents(changed.hidden))
            assert torch.equal(after.edges.index, edges.index)


# ---------------------------------------------------------------------------------- experiment


def test_the_part_of_a_task_that_an_agent_reaches() -> None:
    whole = some_task(5)
    part = PartlyReached(whole, 2)
    action = torch.rand(B, 2)
    padded = torch.cat([action, torch.zeros(B, 3)], dim=1)
    _, observation, error = part.step(None, action)
    assert torch.equal(error, whole.step(None, padded)[2])
    assert torch.equal(observation.feedback[:, 0], error)
    assert torch.equal(part.reset()[1].feedback, whole.reset()[1].feedback)
    assert observation.outputs.shape == (B, 2, 1)


def test_steps_until_back() -> None:
    control = [1.0] * 6
    assert steps_until_back([1.0, 1.0, 1.05, 1.05, 1.05, 1.05], control, 2) == 0
    assert steps_until_back([1.0, 1.0, 3.0, 1.05, 2.0, 1.05], control, 2) == 4
    assert steps_until_back([1.0, 1.0, 1.0, 1.0, 1.0, 1.2], control, 2) is None
    assert steps_until_back([1.0, 1.0, 1.0, 1.0, 1.0, 1.2], [*control[:5], 1.15], 2) == 0
    assert steps_until_back([1.0, 1.0, 1.0, 1.0, 1.0, float("nan")], control, 2) is None


def test_the_experiment() -> None:
    """The control lives on as if nothing had been measured; every change starts where it was."""
    agents = [make(), make(RandomTopology(2))]
    result = growth(agents, num_tasks=4, after=3)
    assert json.loads(json.dumps(result)) == result
    wanted = situations(agents[0])
    for situation, row in zip(wanted, result["situations"], strict=True):
        before, changes = situation.before, row["changes"]
        assert changes.keys() == situation.changes.keys()
        for change in changes.values():
            assert len(change["error"]) == len(change["standard_error"]) == 2
            for error, control in zip(change["error"], changes["unchanged"]["error"], strict=True):
                assert len(error) == before + 3
                assert error[:before] == control[:before]
        generator = seeded(1)
        task = GuessingGame().sample(4, situation.numbers, generator)
        part = PartlyReached(task, situation.num_outputs)
        with torch.no_grad():
            whole = unroll(agents[0], part, situation.num_experts, before + 3, generator)
        expected = whole.loss.mean(dim=1)
        assert torch.allclose(torch.tensor(changes["unchanged"]["error"][0]), expected)
    assert Growth.markdown(result).count("\n") == 1 + sum(len(s.changes) for s in wanted)
    figure = plots.growth(result)
    assert [len(axes.lines) for axes in figure.axes] == [len(s.changes) + 1 for s in wanted]
    assert_refused("got none", lambda: growth([]))


def test_the_command(tmp_path: Path) -> None:
    names = ["micro_badger"] * 2
    sizes = ["--num_tasks", "4", "--after", "2"]
    succeed(main_of("growth"), "--checkpoints", *names, *sizes, cwd=tmp_path)
    out = tmp_path / "results" / "growth.json"
    result = json.loads(out.read_text())
    assert result["checkpoints"] == names
    assert out.with_suffix(".md").read_text().strip() == Growth.markdown(result)
    assert out.with_suffix(".png").stat().st_size > 10_000
