"""How the parts of the code may know of each other, read from the source."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import networkx as nx
import pytest

import badger_graph
from badger_graph import (
    BadgerAgent,
    Channel,
    Communication,
    Curriculum,
    ExpertPolicy,
    Membrane,
    MetaLearner,
    MetaLoss,
    TaskFamily,
)
from badger_graph.baselines import SOLVERS, Solver
from badger_graph.channels import CHANNELS
from badger_graph.communication import COMMUNICATIONS
from badger_graph.membranes import MEMBRANES
from badger_graph.outer.curriculum import CURRICULA
from badger_graph.outer.gradients import GRADIENTS, OuterGradient
from badger_graph.outer.losses import META_LOSSES
from badger_graph.policies import POLICIES
from badger_graph.tasks import TASKS

ROOT = Path(__file__).parents[1]

PACKAGES = ("topologies", "badger_graph")

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
"""Every module by its name."""

PUBLIC_IN_SPITE_OF_THEIR_NAMES = {"_replace", "_asdict", "_fields", "_make", "_version", "_exit"}
"""Of named tuples, whose methods begin so lest they be taken for fields; of tensors, where it is
the one way to see that one was changed in place; and of ``os``."""

OTHERS = {"_dynamo", "_C", "_pytree", "_num_graphs"}
"""Of torch, where there is no other way: marks for the compiler, trees, the size of a PyG batch."""

LAYERS = (
    ("topologies",),
    ("actions", "typing", "products", "ranges", "scaling", "datasets"),
    ("channels", "checks"),
    ("communication", "policies", "birth"),
    ("executors",),
    ("life",),
    ("compiled", "membranes"),
    ("building",),
    ("agent",),
    ("pyg", "growth", "tasks", "saved_lives"),
    ("rollout",),
    ("analysis", "baselines"),
    ("outer",),
    ("library",),
    ("callbacks", "online", "plots"),
    ("evaluation",),
    ("arguments", "cli"),
    ("experiments",),
)


def imports(module: str) -> Iterator[str]:
    """The modules that a module imports anywhere, for its types, too."""
    tree = ast.parse(FILES[module].read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if known(full) else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def known(module: str) -> bool:
    return module in FILES or f"{module}.__init__" in FILES


def graph() -> nx.DiGraph:
    """Who imports whom, file by file."""
    edges = nx.DiGraph()
    for module in FILES:
        for other in imports(module):
            target = other if other in FILES else f"{other}.__init__"
            if target in FILES and target != module:
                edges.add_edge(module, target)
    return edges


def folder(module: str) -> str:
    """The part of the package that a file belongs to: its folder, or itself."""
    parts = module.split(".")
    if parts[0] == "topologies":
        return parts[0]
    return ".".join(parts[1:2]) or parts[0]


def circles(edges: nx.DiGraph) -> list[list[str]]:
    return [sorted(part) for part in nx.strongly_connected_components(edges) if len(part) > 1]


def test_no_circle_between_files() -> None:
    """A package's ``__init__`` names what is in it, and is not imported from inside it."""
    assert circles(graph()) == []


def test_no_circle_between_folders() -> None:
    edges = nx.DiGraph()
    for source, target in graph().edges:
        if folder(source) != folder(target) and folder(source) != "__init__":
            edges.add_edge(folder(source), folder(target))
    assert circles(edges) == []


def test_imports_point_one_way() -> None:
    """Nobody imports from a later layer than its own."""
    layer = {name: place for place, names in enumerate(LAYERS) for name in names}
    against = [
        f"{source} imports {target}"
        for source, target in graph().edges
        if folder(source) in layer
        and folder(target) in layer
        and layer[folder(source)] < layer[folder(target)]
    ]
    assert against == []


def uses_of_underscores(tree: ast.Module) -> Iterator[str]:
    """Names with an underscore of somebody else: ``other._name``, ``from x import _name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (one.name for one in node.names if private(one.name))
        elif isinstance(node, ast.Attribute) and private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own:
                yield f"{ast.unparse(node)} in line {node.lineno}"


def private(name: str) -> bool:
    allowed = PUBLIC_IN_SPITE_OF_THEIR_NAMES | OTHERS
    return name.startswith("_") and not name.startswith("__") and name not in allowed


@pytest.mark.parametrize("module", FILES)
def test_nobody_uses_what_is_private_to_others(module: str) -> None:
    assert list(uses_of_underscores(ast.parse(FILES[module].read_text()))) == []


def test_the_test_of_underscores_sees_them() -> None:
    code = "from a import _b\nx._c\nself._d\ny._replace()\ncls._e\nz.__class__"
    assert list(uses_of_underscores(ast.parse(code))) == ["_b", "x._c in line 2"]


@pytest.mark.parametrize("part", [BadgerAgent, MetaLearner])
def test_agent_and_learner_are_short(part: type) -> None:
    assert len(inspect.getsource(part).splitlines()) < 200
    assert len(inspect.signature(part).parameters) <= 10


TABLES = [
    (POLICIES, ExpertPolicy, badger_graph.policies),
    (MEMBRANES, Membrane, badger_graph.membranes),
    (TASKS, TaskFamily, badger_graph.tasks),
    (COMMUNICATIONS, Communication, badger_graph.communication),
    (CHANNELS, Channel, badger_graph.channels),
    (GRADIENTS, OuterGradient, badger_graph.outer.gradients),
    (CURRICULA, Curriculum, badger_graph.outer.curriculum),
    (META_LOSSES, MetaLoss, badger_graph.outer.losses),
    (SOLVERS, Solver, badger_graph.baselines),
]


@pytest.mark.parametrize(("table", "component", "package"), TABLES)
def test_tables_are_their_folders(
    table: Mapping[str, type], component: type, package: ModuleType
) -> None:
    """Every class of a folder is in its table, under the name of its file."""
    found = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and issubclass(cls, component) and not inspect.isabstract(cls):
                assert module_info.name not in found, f"{module_info.name} holds two"
                found[module_info.name] = cls
    assert dict(table) == found
