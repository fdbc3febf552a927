"""How a configuration is drawn. A new argument of a component is one line of ``ARGUMENTS``.

An argument that is a switch, or one of several words, needs not even that: its values are those of
its type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import chain
from random import Random
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import networkx

from badger_graph import BadgerAgent, Birth
from badger_graph.channels import CHANNELS
from badger_graph.communication import COMMUNICATIONS
from badger_graph.executors.prepare import ExecutorName
from badger_graph.membranes import MEMBRANES
from badger_graph.outer.curriculum import CURRICULA
from badger_graph.outer.gradients import ScoreFunction
from badger_graph.outer.losses import META_LOSSES, Alikeness, Sum
from badger_graph.policies import POLICIES
from badger_graph.tasks import TASKS
from fuzzing.edits import EDITS
from topologies import TOPOLOGIES, GivenGraph

Config = dict[str, Any]
"""A configuration, or a part of one, as plain data: ``{"name": ..., "arguments": {...}}``."""

TABLES: dict[str, dict[str, Callable[..., Any]]] = {
    "policy": dict(POLICIES),
    "membrane": dict(MEMBRANES),
    "topology": {**TOPOLOGIES, "given": GivenGraph},
    "task": dict(TASKS),
    "meta_loss": {k: v for k, v in META_LOSSES.items() if v not in (Alikeness, Sum)},
    "gradient": {"score_function": ScoreFunction},
    "curriculum": dict(CURRICULA),
    "regulariser": {"alikeness": Alikeness},
    "communication": dict(COMMUNICATIONS),
    "channel": dict(CHANNELS),
    "birth": {"birth": Birth},
    "agent": {"agent": BadgerAgent},
}
"""Every component by its name."""

ON_WIRES = {
    "policy": ("wired_fast_weights", "annealed_fast_weights"),
    "membrane": ("crossbar",),
    "topology": ("crossbar",),
}
"""Parts that go with each other and with nothing else, in a world of examples."""

TABLES_OF_NUMBERS = ("tables", "regressions", "linear_functions", "gaussian_processes")
"""Their worlds that have inputs."""

EXAMPLES = (*TABLES_OF_NUMBERS, "class_guessing", "mixture")
"""All of them."""

CHOICES = ("bandits", "several_lives")
"""Worlds in which one output is chosen."""

OTHER_WORLDS = 0.12
"""So many configurations are on wires, and as many have choices; in all others there is a target to
guess, which every other part can do."""

MISTAKES = 0.15
"""Of so many configurations one number or word is replaced, most often by a wrong one."""


class Sizes(NamedTuple):
    """What the parts of a configuration must agree on."""

    num_experts: int
    num_outputs: int
    hidden_size: int
    identifier_size: int


Draw = Callable[[Random, Sizes], Any]


def one_of(*values: Any) -> Draw:
    """Each as likely."""
    return lambda random, sizes: random.choice(values)


def whole(least: int, most: int) -> Draw:
    """A whole number, both ends included."""
    return lambda random, sizes: random.randint(least, most)


def between(least: float, most: float) -> Draw:
    """A real number."""
    return lambda random, sizes: random.uniform(least, most)


def agreed(name: str) -> Draw:
    """What all parts agree on."""
    return lambda random, sizes: getattr(sizes, name)


def seldom(draw: Draw, otherwise: Any, share: float = 0.3) -> Draw:
    """The same value most of the time."""
    return lambda random, sizes: draw(random, sizes) if random.random() < share else otherwise


def some_readers(random: Random, sizes: Sizes) -> str | list[int]:
    if random.random() < 0.6:
        return random.choice(["all", "one"])
    count = random.randint(1, sizes.num_experts)
    return sorted(random.sample(range(sizes.num_experts), count))


def rows_of_grid(random: Random, sizes: Sizes) -> int | None:
    divisors = [n for n in range(1, sizes.num_experts + 1) if sizes.num_experts % n == 0]
    return random.choice([None, *divisors])


def some_graph(random: Random, sizes: Sizes) -> list[list[float]]:
    """Edges as rows ``[source, target, weight]``, each once; at least one."""
    nodes = range(sizes.num_experts)
    rows = {(random.choice(nodes), random.choice(nodes)) for _ in range(3 * len(nodes))}
    weighted = random.random() < 0.5
    weight = (lambda: random.choice([0.0, 1.0, 0.5, -1.5])) if weighted else lambda: 1.0
    return [[source, target, weight()] for source, target in sorted(rows)]


THREE_MEANS = ("last_step", "converge_fast", "mean_over_end")


def another_meta_loss(random: Random, sizes: Sizes) -> Config | None:
    name = random.choice([None, *[*TABLES["meta_loss"]] * 2, *THREE_MEANS])
    if name == "log_error" and random.random() < 0.8:
        name = None
    return None if name is None else component(random, sizes, "meta_loss", name)


def some_range(least: int, most: int) -> Draw:
    """A number or a range of them, both ends included."""

    def draw(random: Random, sizes: Sizes) -> int | list[int]:
        low, high = sorted((random.randint(least, most), random.randint(least, most)))
        return high if random.random() < 0.5 else [low, high]

    return draw


def some_bandits(random: Random, sizes: Sizes) -> Config:
    return component(random, sizes, "task", "bandits")


def some_families(random: Random, sizes: Sizes) -> list[Config]:
    """Of one world."""
    some = random.choice([("tables", "class_guessing"), ("linear_functions", "regressions")])
    return [component(random, sizes, "task", name) for name in some]


def some_topologies(random: Random, sizes: Sizes) -> list[Config]:
    """Of graphs, of which one there is for any number of experts."""
    others = random.choices(["random", "erdos_renyi", "ring", "star"], k=random.randint(0, 2))
    return [component(random, sizes, "topology", name) for name in ("complete", *others)]


def range_around(value: int, random: Random) -> int | list[int]:
    return value if random.random() < 0.5 else [max(1, value - 1), value + 1]


def experts_of_stage(random: Random, sizes: Sizes) -> Config:
    if random.random() < 0.5:
        return {"num_experts": range_around(sizes.num_experts, random)}
    return {"spare_experts": max(0, sizes.num_experts - sizes.num_outputs)}


def some_stages(random: Random, sizes: Sizes) -> list[Config]:
    """Rows of arguments of :class:`badger_graph.Stage`."""
    optional: dict[str, Draw] = {
        "until_error": one_of(0.05, 1.0),
        "learning_rate": one_of(1e-3),
        "redraw_identifiers_every": whole(1, 3),
        "redraw_addresses_every": whole(1, 3),
        "redraw_graph_every": whole(1, 3),
        "log_uniform": one_of(True, False),
    }
    few = sizes.num_outputs if random.random() < 0.8 else range_around(sizes.num_outputs, random)
    return [
        {"num_outputs": few, "steps": random.randint(1, 3), **experts_of_stage(random, sizes)}
        | {name: draw(random, sizes) for name, draw in optional.items() if random.random() < 0.3}
        for _ in range(random.randint(1, 3))
    ]


def spare(random: Random, sizes: Sizes) -> int:
    return max(0, sizes.num_experts - sizes.num_outputs)


EXECUTORS = tuple(name for name in get_args(ExecutorName) if name != "wires")
"""Those of edges."""

ARGUMENTS: dict[str, Draw] = {
    # Sizes that several parts must agree on.
    **{name: agreed(name) for name in Sizes._fields},
    # Policies.
    "message_size": whole(1, 20),
    "fast_weights": whole(1, 4),
    "rate": one_of(0.1, 0.5, 1.0),
    "floor": one_of(0.001, 0.01),
    "annealing": between(0, 1),
    "largest_norm": seldom(one_of(0.1, 10.0), None),
    "query_heads": whole(1, 3),
    "sender_heads": whole(1, 3),
    "gain": one_of(0.5, 1.0, 1.65, 2.0),
    "initial_chaos": one_of(0.0, 0.5, 3.0),
    "steepness": one_of(0.1, 1.0),
    "offset": between(0, 1),
    "keep": between(-0.5, 1),
    "add": between(0, 1),
    "beta": one_of(0.0, 1.0, 2.5),
    # Membranes.
    "readers": some_readers,
    "address_size": whole(1, 6),
    "key_size": lambda random, sizes: 2 * random.randint(1, 4),
    "heads": whole(1, 3),
    "value_size": whole(1, 4),
    "width": whole(1, 6),
    "feedback_scale": between(0.5, 3),
    "lossy.probability": between(0, 1),
    "hidden_wires": whole(0, 4),
    "sharpness": between(0.5, 30),
    "constant": between(0.1, 2),
    "max_outputs": lambda random, sizes: sizes.num_outputs + random.randint(0, 9),
    # Topologies.
    "seed": whole(0, 2**31),
    "strongly_connected": one_of(*[False] * 9, True),
    "k": lambda random, sizes: random.randint(0, max(0, min(6, sizes.num_experts - 1))),
    "top_k.k": whole(1, 8),
    "p": one_of(0.0, 0.1, 0.3, 0.7, 1.0),
    "num_inputs": lambda random, sizes: random.randint(1, max(1, sizes.num_experts // 3)),
    "rows": rows_of_grid,
    "temperature": between(0.2, 2),
    "topologies": some_topologies,
    # Tasks.
    "bins": seldom(one_of(2, 5, 12), None),
    **{f"{name}.num_inputs": some_range(1, 4) for name in TABLES_OF_NUMBERS},
    "class_guessing.num_steps": some_range(1, 6),
    "noise": between(0, 1),
    "families": some_families,
    "num_examples": some_range(1, 6),
    "few_inputs": between(0, 1),
    "most_numbers": seldom(whole(1, 200), 20_000),
    "num_pulls": some_range(1, 6),
    "lives": whole(2, 3),
    "family": some_bandits,
    # Meta-losses, regularisers and gradients.
    "detach_every": seldom(whole(1, 4), None),
    "discount": between(0.1, 1),
    "fraction": between(0.1, 1),
    "of": another_meta_loss,
    "most": between(0.5, 5),
    "weight": between(0, 1),
    # Curricula.
    "stages": some_stages,
    "then": one_of(None),
    "first": agreed("num_outputs"),
    "last": lambda random, sizes: sizes.num_outputs + random.randint(0, 1),
    "one_more_output.num_experts": one_of(None),
    "spare_experts": spare,
    "frontier_share": between(0.1, 1),
    "last_share": between(0, 1),
    "threshold": one_of(0.08, 1.0, 100.0),
    "window": whole(1, 3),
    "largest": one_of(1, 2, 8),
    # The agent, its communication and its birth.
    "rounds": one_of(1, 1, 2, 3),
    "identifiers": one_of("fixed", "fixed", "random", "random", "none"),
    "initial_state": one_of("zero", "random"),
    "codebooks": seldom(whole(1, 5), None),
    "address_seed": whole(0, 2**31),
    "graph_seed": seldom(whole(0, 2**31), None),
    "executor": one_of("auto", "auto", "auto", *EXECUTORS),
    "compiled": one_of(False),  # half a minute each
}
"""How an argument of a component is drawn, by its name; ``component.argument`` comes first."""

NETWORKX: dict[str, dict[str, Draw]] = {
    "barabasi_albert_graph": {"m": whole(1, 3)},
    "balanced_tree": {"r": one_of(2), "h": whole(1, 3)},
    "barbell_graph": {"m1": whole(3, 6), "m2": whole(0, 4)},
    "binomial_tree": {"n": whole(1, 5)},
    "circular_ladder_graph": {"n": lambda r, s: max(1, s.num_experts // 2)},
    "complete_graph": {},
    "connected_watts_strogatz_graph": {"k": whole(2, 4), "p": between(0, 1)},
    "cycle_graph": {},
    "dense_gnm_random_graph": {"m": lambda r, s: 2 * s.num_experts},
    "dorogovtsev_goltsev_mendes_graph": {"n": whole(0, 3)},
    "duplication_divergence_graph": {"p": between(0.1, 1)},
    "empty_graph": {},
    "fast_gnp_random_graph": {"p": between(0, 1)},
    "full_rary_tree": {"r": whole(1, 4)},
    "gn_graph": {},
    "gnc_graph": {},
    "gnr_graph": {"p": between(0, 1)},
    "hypercube_graph": {"n": whole(1, 5)},
    "karate_club_graph": {},
    "margulis_gabber_galil_graph": {"n": whole(2, 6)},
    "newman_watts_strogatz_graph": {"k": whole(2, 4), "p": between(0, 1)},
    "path_graph": {},
    "petersen_graph": {},
    "random_k_out_graph": {"k": whole(1, 3), "alpha": between(0.5, 2)},
    "random_labeled_tree": {},
    "random_regular_graph": {"d": whole(1, 4)},
    "scale_free_graph": {},
    "star_graph": {"n": lambda r, s: s.num_experts - 1},
    "watts_strogatz_graph": {"k": whole(2, 4), "p": between(0, 1)},
    "wheel_graph": {},
}
"""Generators of NetworkX and their arguments."""

MEMBRANES_OF = {"lstm": ("whole",), "attention": ("attention",)}
"""The membranes that show what a policy perceives; others take any that shows channels."""

USUAL_MEMBRANES = [
    name
    for name in MEMBRANES
    if name not in (*chain.from_iterable(MEMBRANES_OF.values()), *ON_WIRES["membrane"])
]

USUAL = {kind: [name for name in TABLES[kind] if name not in of] for kind, of in ON_WIRES.items()}
USUAL["task"] = [name for name in TASKS if name not in EXAMPLES + CHOICES]
"""Parts of all configurations in which there is a target to guess."""

SCORED = ("attention", "top_k", "learned_graph")
"""Topologies with weights to learn, which the attentional policy does not take."""


def configuration(seed: int) -> Config:
    """The configuration of a number: everything that a learner is made of, as plain data."""
    random = Random(seed)
    config = _with_a_target(random, seed)
    # Drawn apart, so that all others are what they were before there were other worlds.
    world = Random(f"the world of {seed}")
    match world.choices(("target", *OTHERS), (1 - 2 * OTHER_WORLDS, *[OTHER_WORLDS] * 2))[0]:
        case "wires":
            _put_on_wires(world, config)
        case "choices":
            _let_choose(world, config)
    if config["mistake"]:
        _replace_one(random, config)
    return config


OTHERS = ("wires", "choices")


def _with_a_target(random: Random, seed: int) -> Config:
    policy = random.choice([*USUAL["policy"], "gru", "gru"])
    membrane = random.choice(MEMBRANES_OF.get(policy, USUAL_MEMBRANES))
    if random.random() < 0.02:
        membrane = random.choice(USUAL["membrane"])
    task = random.choice(USUAL["task"])
    sizes = _sizes(random, policy, membrane, task)
    kind = random.choice(USUAL["topology"])
    wrong = SCORED if policy == "attention" else ("networkx", "layered", "given", "file")
    if kind in wrong and (policy == "attention" or membrane == "whole") and random.random() < 0.9:
        kind = "random"
    topology, sizes = _topology(random, kind, sizes)
    parts = {
        part: component(random, sizes, part, {"membrane": membrane, "policy": policy}.get(part))
        for part in ("membrane", "policy", "communication", "channel", "birth", "agent")
    }
    _suit(random, policy, parts)
    config = {
        **parts,
        "topology": topology,
        "task": component(random, sizes, "task", task),
        "meta_loss": component(random, sizes, "meta_loss"),
        "regulariser": component(random, sizes, "regulariser") if random.random() < 0.3 else None,
        "gradient": None,
        "curriculum": _curriculum(random, sizes, kind, membrane, task),
        "num_experts": sizes.num_experts,
        "num_outputs": sizes.num_outputs,
        "batch_size": random.randint(1, 5),
        "num_steps": min(random.randint(1, 6), random.randint(1, 6)),
        "detach_every": seldom(whole(1, 4), None)(random, sizes),
        "checkpoint_every": seldom(whole(1, 4), None)(random, sizes),
        "dtype": random.choice(["float64"] * 3 + ["float32"]),
        "training": random.random() < 0.9,
        "lessons": random.randint(0, 4),
        "edits": [
            {"name": random.choice(EDITS), "seed": random.randint(0, 2**31)}
            for _ in range(random.choice([0, 0, 1, 2, 4]))
        ],
        "seed": seed,
    }
    config["mistake"] = random.random() < MISTAKES
    return config


def _put_on_wires(random: Random, config: Config) -> None:
    """Make it learn examples with a crossbar, of as many experts as there are crossings."""
    names = {part: random.choice(these) for part, these in ON_WIRES.items()}
    sizes = _sizes(random, names["policy"], names["membrane"], "")
    world = random.choice(EXAMPLES)
    fewest = 2 if world in ("tables", "class_guessing", "mixture") else 1  # classes
    few = max(sizes.hidden_size, 9)  # larger than what is kept of four fast weights
    sizes = sizes._replace(num_outputs=random.randint(fewest, 4), hidden_size=few)
    for part, name in names.items():
        config[part] = component(random, sizes, part, name)
    config["task"] = component(random, sizes, "task", world)
    for part in ("birth", "agent"):
        config[part] = component(random, sizes, part)
    config["agent"]["arguments"]["executor"] = random.choice(["auto", "wires"])
    config["num_experts"], config["num_outputs"] = None, sizes.num_outputs
    outputs = range_around(max(sizes.num_outputs, fewest + 1), random)
    stages = [{"num_outputs": outputs, "steps": random.randint(1, 3)}]
    curriculum = {"name": "stages", "arguments": {"stages": stages}}
    config["curriculum"] = curriculum if random.random() < 0.3 else None


def _let_choose(random: Random, config: Config) -> None:
    """Make it play bandits, most often several agents each and with what came of their choices."""
    policy, membrane = "gru", random.choice(USUAL_MEMBRANES)
    task = random.choice(["several_lives", "several_lives", "bandits"])
    sizes = _sizes(random, policy, membrane, task)
    kind = random.choice([name for name in USUAL["topology"] if name not in ONE_SIZE])
    config["topology"], sizes = _topology(random, kind, sizes)
    config["policy"] = component(random, sizes, "policy", policy)
    config["membrane"] = component(random, sizes, "membrane", membrane)
    config["task"] = component(random, sizes, "task", task)
    for part in ("birth", "agent"):
        config[part] = component(random, sizes, part)
    _suit(random, policy, config)
    config["num_experts"], config["num_outputs"] = sizes.num_experts, sizes.num_outputs
    config["curriculum"] = _curriculum(random, sizes, kind, membrane, task)
    if task == "several_lives" and random.random() < 0.9:
        config["gradient"] = component(random, sizes, "gradient", "score_function")
        config["detach_every"] = config["checkpoint_every"] = None


def component(random: Random, sizes: Sizes, kind: str, name: str | None = None) -> Config:
    """A component with all its arguments drawn, or left at their defaults.

    Raises:
        KeyError: for an argument that nobody said how to draw.
    """
    name = name or random.choice(list(TABLES[kind]))
    entry = TABLES[kind][name]
    said = Sizes._fields[2:] if kind in BUILT_BY_AGENTS else ()
    drawn = {
        argument: draw(random, sizes)
        for argument, draw in draws(name, entry).items()
        if argument not in said and random.random() < (1 if argument in _NEEDED else 0.8)
    }
    return {"name": name, "arguments": drawn}


_NEEDED = {*Sizes._fields, "path", "generator", "index", "stages", "first", "last", "largest"}
_NEEDED |= {"num_examples", "num_steps", "num_pulls", "family", "families", "topologies"}
_NEEDED |= {"spare_experts", "readers", "max_outputs", "num_inputs", "k"}
"""Arguments whose defaults do not fit sizes as small as ours."""

ELSEWHERE = {
    *("interface", "policy", "topology", "membrane", "communication", "birth", "channel"),
    *("percept_size", "index", "path", "generator", "kwargs"),
}
"""Arguments that are drawn elsewhere, parts of an agent and graphs, or said by membranes."""

BUILT_BY_AGENTS = ("policy", "membrane", "topology")
"""Parts to which the agent says sizes."""


def draws(name: str, entry: Callable[..., Any]) -> dict[str, Draw]:
    """How each argument of a component is drawn.

    Raises:
        KeyError: for an argument that nobody said how to draw.
    """
    init: Any = entry.__init__ if inspect.isclass(entry) else entry
    types = get_type_hints(init)
    found: dict[str, Draw] = {}
    for argument, parameter in inspect.signature(entry).parameters.items():
        known = ARGUMENTS.get(f"{name}.{argument}", ARGUMENTS.get(argument))
        if argument in ELSEWHERE or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            continue
        if known is None and types[argument] is bool:
            known = one_of(False, True)
        if known is None and get_origin(types[argument]) is Literal:
            known = one_of(*get_args(types[argument]))
        if known is None:
            raise KeyError(f"ARGUMENTS must say how {name}.{argument} is drawn")
        found[argument] = known
    return found


def _sizes(random: Random, policy: str, membrane: str, task: str) -> Sizes:
    outputs = random.choice([3, 5, 7]) if task == "waves" else random.randint(1, 8)
    fewest = outputs if membrane in ("hardwired", "own_readout") else 1
    most = random.choice([8, 8, 8, 16, 16, 16, 70])
    experts = 1 if membrane == "whole" else random.randint(fewest, max(fewest, most))
    hidden_size = random.choice([random.randint(1, 20), random.choice([16, 17, 33])])
    identifier_size = random.choice(
        [0, *range(1, 9)] if membrane not in ("addressed", "crossbar") else range(1, 9)
    )
    if policy == "lstm":
        hidden_size = 2 * random.randint(1, 12)
    return Sizes(experts, outputs, max(hidden_size, 1 + (membrane == "attention")), identifier_size)


def _topology(random: Random, kind: str, sizes: Sizes) -> tuple[Config, Sizes]:
    """A topology, and sizes with as many experts as its graph has."""
    drawn = component(random, sizes, "topology", kind)
    arguments = drawn["arguments"]
    if kind == "layered":
        layers = arguments["num_inputs"] + sizes.num_outputs
        sizes = sizes._replace(num_experts=max(sizes.num_experts, layers + 1))
    if kind in ("given", "file"):
        rows = some_graph(random, sizes)
        if kind == "file":
            nodes = {end for source, target, _ in rows for end in (source, target)}
            sizes = sizes._replace(num_experts=len(nodes))
            arguments["path"] = {"rows": rows, "ending": random.choice([".txt", ".json"])}
        else:
            sources, targets, weights = map(list, zip(*rows, strict=True))
            arguments |= {"index": [sources, targets], "weight": weights}
    if kind == "networkx":
        generator = random.choice(list(NETWORKX))
        given = {name: draw(random, sizes) for name, draw in NETWORKX[generator].items()}
        arguments |= {"generator": generator, "kwargs": given}
        make = getattr(networkx, generator)
        if sizes.num_experts > 1 and (
            "n" in given or "n" not in inspect.signature(make).parameters
        ):
            sizes = sizes._replace(num_experts=len(make(**given)))
    return drawn, sizes


def _curriculum(
    random: Random, sizes: Sizes, topology: str, membrane: str, task: str
) -> Config | None:
    """One for a fifth of the configurations; of those parts that take any size, a third."""
    any_size = not {topology, membrane, task} & {*ONE_SIZE}
    if random.random() > (0.3 if any_size else 0.02):
        return None
    return component(random, sizes, "curriculum")


ONE_SIZE = ("given", "file", "networkx", "layered", "learned_graph", "grid", "whole", "waves")
"""Parts that do not serve every number of experts and outputs."""


def _suit(random: Random, policy: str, parts: dict[str, Config]) -> None:
    """Choose what only one policy can do, and for most what it cannot do not."""
    of_policy = parts["policy"]["arguments"]
    if policy == "attention":
        parts["birth"]["arguments"]["initial_state"] = random.choice(["zero", "random", "learned"])
    serve = {"attention": ("auto", "attention"), "gru": ("auto", *EXECUTORS[1:5])}
    if random.random() < 0.9:
        able = serve.get(policy, ("auto", "reference", "dense", "sparse"))
        if of_policy.get("aggregation", "mean") != "mean":
            able = ("auto", "reference", "sparse")
        parts["agent"]["arguments"]["executor"] = random.choice(able)


def _replace_one(random: Random, config: Config) -> None:
    """Replace one number or word of a configuration, most often by one that is wrong."""
    leaves = [
        (part, key)
        for part in _parts(config)
        for key, value in part.items()
        if _is_leaf(key, value)
    ]
    part, key = random.choice(leaves)
    value = part[key]
    if isinstance(value, str):
        part[key] = "nonsense"
    elif isinstance(value, int):
        part[key] = random.choice([0, -1, value - 1, value + 1, value + 7])
    else:
        part[key] = random.choice([0.0, -1.0, float("nan"), float("inf"), 1e30])


def _is_leaf(key: str, value: Any) -> bool:
    ours = ("name", "ending", "dtype", "lessons", "h", "m1", "m2", "seed")  # trees grow too large
    return isinstance(value, int | float | str) and not isinstance(value, bool) and key not in ours


def _parts(config: Config) -> list[Config]:
    inner = [value for value in config.values() if isinstance(value, dict)]
    return [config, *chain.from_iterable(_parts(value) for value in inner)]
