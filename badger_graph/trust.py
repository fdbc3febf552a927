"""Which code the configuration of a run may name: that of somebody else's run is no program.

A run that is resumed starts from the ``config.yaml`` beside its checkpoint, and the parser imports
whatever that names. So every string in it is looked at before the parser sees it: what could be
imported must be a class, of a kind that a configuration holds, in an installed package that the
project knows, or come from a module that the user named by ``--import``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import site
import sys
import sysconfig
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment, Precision
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import LayerSync
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from badger_graph.membranes import MEMBRANES
from badger_graph.outer.config import COMPONENTS
from badger_graph.outer.curriculum import CURRICULA
from badger_graph.outer.gradients import GRADIENTS
from badger_graph.outer.losses import META_LOSSES
from badger_graph.policies import POLICIES
from badger_graph.safe_yaml import load_yaml
from badger_graph.tasks import TASKS
from topologies import TOPOLOGIES

IMPORTED = ("badger_graph", "topologies", "torch", "lightning", "pytorch_lightning")
KNOWN = (*IMPORTED, "pytorch_optimizer", "torchjd")
"""Packages whose classes a configuration may name; this project has imported the first ones."""

KINDS = (
    *COMPONENTS,
    *(Callback, Logger, Profiler, Strategy, Accelerator),
    *(Precision, CheckpointIO, ClusterEnvironment, LayerSync),
    *(torch.optim.Optimizer, LRScheduler, ReduceLROnPlateau),
)
"""Kinds of classes that a configuration may name; those of TorchJD are aggregators."""

NAMED = tuple(
    component
    for table in (TOPOLOGIES, POLICIES, MEMBRANES, TASKS, META_LOSSES, GRADIENTS, CURRICULA)
    for component in table.values()
)
"""What has a name on the command line; some are functions that make a component."""

PLAIN = (str, int, float, bool, complex, type(None), Path)

Shape = Any
"""What is known of a value: an annotation, a class whose arguments a mapping holds, a mapping of
these by key, or None."""


def require_trusted(config: Any, shape: Shape, imports: Sequence[str], file: Path) -> None:
    """Refuse a configuration that names code which nobody vouches for; none of it is imported.

    Args:
        config: plain data, as it was read.
        shape: of the whole configuration: the class of each section. A string where text is
            expected can be any, elsewhere it may be taken for the name of code or of a file.
        imports: modules that the user named.
        file: where it comes from.

    Raises:
        ValueError: names what is refused, where it stands, and how to allow it.
    """
    for place, text, why in _refusals(config, shape, tuple(imports), ""):
        raise ValueError(
            "a configuration that is loaded by itself must name only classes of "
            f"{', '.join(KNOWN)} and of modules that --import names, but {place.lstrip('.')} in "
            f"{str(file)!r} is {text!r}, {why}"
        )


def _refusals(
    value: Any, shape: Shape, imports: tuple[str, ...], place: str
) -> Iterable[tuple[str, str, str]]:
    """Place, text and reason of each string that is refused."""
    if isinstance(value, dict):
        inner = _shapes(value, shape)
        for key, item in value.items():
            yield from _refusals(item, inner.get(key), imports, f"{place}.{key}")
    elif isinstance(value, list | tuple | set):
        items = str if _is_text(shape) else None
        for number, item in enumerate(value):
            yield from _refusals(item, items, imports, f"{place}[{number}]")
    elif isinstance(value, str) and not _is_text(shape):
        why = _reason(value, imports)
        if why is not None:
            yield place, value, why


def _shapes(value: dict[Any, Any], shape: Shape) -> Mapping[Any, Shape]:
    """What is known of the values of a mapping."""
    if "class_path" in value:
        cls = _referent(str(value["class_path"]))
        return {"init_args": cls if _is_allowed(cls) else None}
    if isinstance(shape, dict):
        return shape
    if _is_text(shape):
        return dict.fromkeys(value, str)
    return (
        _annotations(shape) if isinstance(shape, type) or any(shape is one for one in NAMED) else {}
    )


def _annotations(make: Any) -> Mapping[str, Shape]:
    """The annotation of each argument of a class or function; none where they cannot be told."""
    try:
        made_by = inspect.getattr_static(make, "__init__") if isinstance(make, type) else make
        return typing.get_type_hints(inspect.unwrap(made_by))
    except Exception:  # names that exist for type checkers only, and whatever else
        return {}


def _is_text(shape: Shape) -> bool:
    """Whether plain data is expected, of which no parser makes code or the content of a file."""
    origin: Any = typing.get_origin(shape)
    arguments = typing.get_args(shape)
    if origin is Literal:
        return True
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return all(_is_text(argument) for argument in arguments)
    if isinstance(origin, type) and issubclass(origin, Sequence | Mapping | set):
        return all(argument is ... or _is_text(argument) for argument in arguments)
    return shape in PLAIN if isinstance(shape, type) else False


def _reason(text: str, imports: tuple[str, ...]) -> str | None:
    """Why a string is refused where a parser may take it for code or for a file; None: it is not.

    A parser reads a mapping or a list out of a string, a configuration out of a file that a string
    names, and takes a dotted name for what can be imported.
    """
    text = text.strip()
    if _is_nested(text):
        return "which holds a configuration of its own; write it out"
    if _is_file(text):
        return "the name of a file, which may be taken for a configuration; write it out"
    parts = text.split(".")
    if len(parts) == 1 or not all(part.isidentifier() for part in parts):
        return None
    if any(text.startswith(f"{module}.") for module in imports):
        return None
    return _reason_against(text, parts[0])


def _reason_against(name: str, package: str) -> str | None:
    """Why what a dotted name stands for may not be imported; None: it may, or is not there."""
    allow = f"; --import {name.rpartition('.')[0]} allows it"
    if package not in KNOWN:
        there = package in sys.modules or _spec(package) is not None
        return f"which is no part of them{allow}" if there else None
    if not _is_installed(package):
        return f"and {package} is not installed{allow}"
    referent = _referent(name)
    if referent is None or _is_allowed(referent):
        return None
    return f"which is no class that a configuration may hold{allow}"


def _is_nested(text: str) -> bool:
    try:
        return isinstance(load_yaml(text), dict | list)
    except ValueError as error:
        return not isinstance(error.__cause__, yaml.YAMLError)  # what is no YAML is a string


def _is_file(text: str) -> bool:
    try:
        path = Path(text).expanduser()
        return path.exists() and not path.is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a null byte
        return False


def _referent(name: str) -> Any:
    """What a name stands for in an installed package that the project knows; None: nothing."""
    package = name.partition(".")[0]
    if package not in KNOWN or not _is_installed(package):
        return None
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        pass
    # A parser also finds what a class of a module holds.
    module, _, holder = module.rpartition(".")
    try:
        return getattr(getattr(importlib.import_module(module), holder), attribute)
    except (ImportError, AttributeError, ValueError):
        return None


def _is_allowed(referent: Any) -> bool:
    if any(referent is component for component in NAMED):
        return True
    if not isinstance(referent, type) or referent.__module__.partition(".")[0] not in KNOWN:
        return False
    aggregator = referent.__module__.startswith("torchjd.aggregation.")
    return issubclass(referent, (*KINDS, torch.nn.Module) if aggregator else KINDS)


def _is_installed(package: str) -> bool:
    """Whether a package is that of this project, or was put where packages are installed."""
    if package in IMPORTED and package in sys.modules:
        return True
    spec = _spec(package)
    if spec is None or spec.origin is None:
        return False
    folders = {*site.getsitepackages(), site.getusersitepackages()}
    folders |= {sysconfig.get_paths()[name] for name in ("purelib", "platlib")}
    return any(Path(spec.origin).is_relative_to(folder) for folder in folders)


def _spec(package: str) -> Any:
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        return None
