"""What arguments may be: their types by annotation, their bounds by rule, one message for all."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import networkx as nx
import numpy as np
import torch
from torch import Tensor

MAX_SIZE = 2**20
"""The largest number of experts, outputs, tasks, channels, ... of one kind."""

MAX_EXPERTS = 2**17
"""Experts of an agent; 100,000 is what was measured, and takes seconds a step."""

MAX_EDGES = 2**27
"""Edges of a batch of agents: two gigabytes of their ends."""

MAX_WEIGHTS = 2**27
"""Numbers in all weights of a component: half a gigabyte."""

MAX_NUMBERS = 2**28
"""Numbers in one tensor that grows with sizes, such as the states of a batch: a gigabyte."""

MAX_SEED = 2**63

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class")


class Rule(NamedTuple):
    """What a value must do, in words that follow "must", and whether it does."""

    words: str
    holds: Callable[[Any], bool]


Rules = tuple[Rule, ...]


def size(least: int = 1, most: int = MAX_SIZE) -> Rules:
    """A number from a least one to one that memory and patience can bear."""
    return (
        Rule(f"be at least {least}", lambda value: value >= least),
        Rule(f"be at most {most:,}", lambda value: value <= most),
    )


EXPERTS: Rules = size(most=MAX_EXPERTS)


def interval(low: float, high: float, ends: str = "[]") -> Rules:
    """A number between two others; a square bracket includes the end, a round one does not."""

    def holds(value: float) -> bool:
        above = value >= low if ends[0] == "[" else value > low
        return above and (value <= high if ends[1] == "]" else value < high)

    return (Rule(f"be in {ends[0]}{low}, {high}{ends[1]}", holds),)


SEED: Rules = (
    Rule("be at least 0", lambda value: value >= 0),
    Rule("be less than 2**63", lambda value: value < MAX_SEED),
)
POSITIVE: Rules = (Rule("be positive", lambda value: value > 0),)
NOT_NEGATIVE: Rules = (Rule("not be negative", lambda value: value >= 0),)
PROBABILITY: Rules = (Rule("be a probability, from 0 to 1", lambda value: 0 <= value <= 1),)


def check(name: str, value: Any, *rules: Rule, optional: bool = False) -> None:
    """Refuse a value that breaks a rule.

    Args:
        name: what the value is called.
        value: the value.
        rules: in the order in which they are looked at.
        optional: whether the message says that there need be none.

    Raises:
        ValueError: states the first rule that is broken, and the value.
    """
    for rule in rules:
        if not rule.holds(value):
            none = ", or none" if optional else ""
            raise ValueError(f"{name} must {rule.words}{none}, got {brief(value)}")


def check_sizes(**sizes: tuple[int, int]) -> None:
    """Refuse sizes that are no whole numbers, or below their least.

    Args:
        sizes: by name, each with its least.

    Raises:
        ValueError: says which and why.
    """
    for name, (value, least) in sizes.items():
        check(name, value, *_rules_of(int), *size(least)[:1])


def check_choice(name: str, value: Any, choices: Collection[str], other: str = "") -> None:
    """Refuse what is none of some names.

    Args:
        name: what the value is called.
        value: the value.
        choices: the names there are.
        other: what it could be instead, in words.

    Raises:
        ValueError: lists the names, and says which the value is like.
    """
    if isinstance(value, str) and value in choices:
        return
    raise ValueError(
        f"{name} must be one of {', '.join(map(str, choices))}{other}, got {brief(value)}"
        + did_you_mean(value, choices)
    )


def did_you_mean(value: Any, names: Iterable[str]) -> str:
    """The end of a message about a name that there is not, where there is one like it."""
    words = [name for name in names if isinstance(name, str)]
    close = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def check_edges(count: float, of: str) -> None:
    """Refuse more edges than fit in memory, before there are any.

    Raises:
        ValueError: says of what, and how many there would be.
    """
    if count > MAX_EDGES:
        raise ValueError(f"{of} must have at most {MAX_EDGES:,} edges, got {count:,.0f}")


def check_numbers(what: str, limit: int = MAX_NUMBERS, **sizes: int) -> None:
    """Refuse a tensor that is too large, before it is made.

    Args:
        what: what it holds.
        limit: so many numbers it may have.
        sizes: its sizes by name.

    Raises:
        ValueError: says the sizes.
    """
    if math.prod(sizes.values()) > limit:
        listing = ", ".join(f"{name}={value}" for name, value in sizes.items())
        raise ValueError(f"{what} must be at most {limit:,} numbers, got {listing}")


def brief(value: Any) -> str:
    """A value on less than a line: data as it is, of tensors the shape, of objects the class."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, str | Real | Sequence | Mapping):
        text = repr(value.item() if isinstance(value, np.generic) else value)
        return text if len(text) <= 200 else f"{text[:197]}..."
    if isinstance(value, nx.Graph):
        return f"{_a(type(value))}, of which from_networkx(graph) makes a topology"
    return _a(type(value))


def checked(**bounds: Rules) -> Callable[[Function], Function]:
    """Hold the arguments of a function, such as a constructor, against their annotations and rules.

    An annotation says the type: ``int`` is a whole number (no bool, no 2.0), ``float`` a finite
    number, a ``Literal`` one of its names, ``list[int]`` a list of whole numbers, a tensor type a
    tensor, another class an object of it. Numbers of NumPy are taken as those of Python, so that
    what is kept of them is plain data.

    Args:
        bounds: further rules by the argument's name; of None, where that is allowed, none is asked.

    Raises:
        ValueError: from the function, before anything else in it; states the rule and the value.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        hints: dict[str, Any] = {}

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                binding = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # says it better
            if not hints:
                hints.update(typing.get_type_hints(function))
            binding.arguments.update({name: _plain(v) for name, v in binding.arguments.items()})
            for name, value in binding.arguments.items():
                if name in hints:
                    _check_argument(name, value, hints[name], bounds.get(name, ()))
            return function(*binding.args, **binding.kwargs)

        return typing.cast(Function, call)

    return decorate


def checked_fields(**bounds: Rules) -> Callable[[type[Class]], type[Class]]:
    """Hold the fields of a dataclass against their annotations, as :func:`checked` arguments.

    Raises:
        ValueError: from the constructor; states the rule and the value.
    """

    def decorate(cls: type[Class]) -> type[Class]:
        cls.__init__ = checked(**bounds)(cls.__init__)  # type: ignore[method-assign]
        return cls

    return decorate


def limited_weights(constructor: Function) -> Function:
    """Let a constructor make no more weights than :data:`MAX_WEIGHTS`, before memory is taken.

    Raises:
        ValueError: from the constructor; says its whole numbers.
    """

    @functools.wraps(constructor)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        with torch.device("meta"):  # where weights take no memory and nothing is drawn
            constructor(self, *args, **kwargs)
        if sum(weight.numel() for weight in self.parameters()) > MAX_WEIGHTS:
            binding = inspect.signature(constructor).bind(self, *args, **kwargs)
            binding.apply_defaults()
            sizes = {k: v for k, v in binding.arguments.items() if _is_whole(v)}
            listing = ", ".join(f"{name}={value}" for name, value in sizes.items())
            raise ValueError(
                f"a {type(self).__name__} must have at most {MAX_WEIGHTS:,} weights, got {listing}"
            )
        constructor(self, *args, **kwargs)

    return typing.cast(Function, call)


def _plain(value: Any) -> Any:
    """Numbers of NumPy, by themselves or in a list, as those of Python; all else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is list and any(isinstance(item, np.generic) for item in value):
        return [_plain(item) for item in value]
    return value


def _check_argument(name: str, value: Any, hint: Any, bounds: Rules) -> None:
    optional = hint is Any or type(None) in _arms(hint)
    if value is None and optional:
        return
    choices = tuple(arm for arm in _arms(hint) if arm is not type(None))
    hint = choices[0] if len(choices) == 1 else Union[choices]  # noqa: UP007
    if get_origin(hint) is Literal:
        check_choice(name, value, get_args(hint))
    kind, *others = _rules_of(hint)
    bounds = bounds if len(choices) == 1 or _is_number(value) else ()
    check(name, value, kind, *bounds, *others, optional=optional)


def _arms(hint: Any) -> tuple[Any, ...]:
    """What a value may be, one by one."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(arm for part in get_args(hint) for arm in _arms(part))
    return (hint,)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _rules_of(hint: Any) -> Rules:
    """What an annotation asks for."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return (Rule(f"be one of {', '.join(map(repr, inner))}", lambda value: value in inner),)
    if origin in (Union, types.UnionType):
        each = [_rules_of(arm) for arm in inner]
        words = " or ".join(rules[0].words.removeprefix("be ") for rules in each)
        return (Rule(f"be {words}", lambda v: any(_all(rules, v) for rules in each)),)
    if origin is _ITERABLE:  # to look at what it holds could use it up
        return (Rule("be a list", lambda v: isinstance(v, Iterable) and not isinstance(v, str)),)
    if origin is list or origin in _COLLECTIONS:
        return _rules_of_items(origin, inner[0] if inner else Any)
    if origin in (dict, _MAPPING):
        return (Rule("be a mapping", lambda value: isinstance(value, Mapping)),)
    if hasattr(hint, "array_type"):  # of jaxtyping
        kind = "a tensor" if hint.array_type is Tensor else "an array"
        return (
            Rule(f"be {kind}", lambda value: isinstance(value, hint.array_type)),
            *_rules_of_dtype(hint.dtypes),
        )
    if isinstance(origin or hint, type) and not getattr(hint, "_is_protocol", False):
        cls = origin or hint
        return (Rule(f"be {_a(cls)}", lambda value: isinstance(value, cls)),)
    if origin is _CALLABLE or hint is Callable:
        return (Rule("be a function", callable),)
    return (Rule("be anything", lambda _: True),)


def _rules_of_items(origin: Any, item: Any) -> Rules:
    of_item = _rules_of(item)[:1]  # whether each is in bounds is for the function to say
    kinds: tuple[Any, ...] = (list, tuple) if origin is list else (list, tuple, range, np.ndarray)
    if origin is not list and item is Any:
        kinds = (Collection,)
    each = "" if item is Any else f", each {of_item[0].words.removeprefix('be ')}"
    return (
        Rule(
            f"be a list{each}",
            lambda value: (
                isinstance(value, kinds)
                and not isinstance(value, str)
                and all(_all(of_item, _plain(one)) for one in value)
            ),
        ),
    )


def _all(rules: Rules, value: Any) -> bool:
    return all(rule.holds(value) for rule in rules)


def _rules_of_dtype(dtypes: Any) -> Rules:
    """What jaxtyping names for a kind of numbers; nothing where it is any."""
    if not isinstance(dtypes, tuple):
        return ()
    kind = "floating-point" if "float32" in dtypes else "whole" if "int64" in dtypes else None
    if kind is None:
        return ()
    return (
        Rule(
            f"be of {kind} numbers",
            lambda value: str(value.dtype).removeprefix("torch.") in dtypes,
        ),
    )


def _a(cls: type) -> str:
    name = cls.__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


_COLLECTIONS = tuple(get_origin(hint) for hint in (Sequence[int], Collection[int]))
_ITERABLE = get_origin(Iterable[int])
_MAPPING = get_origin(Mapping[str, int])
_CALLABLE = get_origin(Callable[[], int])

_PLAIN: dict[Any, Rules] = {
    int: (Rule("be a whole number", _is_whole),),
    float: (Rule("be a number", _is_number), Rule("be finite", lambda value: math.isfinite(value))),
    bool: (Rule("be true or false", lambda value: isinstance(value, bool)),),
    str: (Rule("be text", lambda value: isinstance(value, str)),),
    Any: (Rule("be anything", lambda _: True),),
    type(None): (Rule("be none", lambda value: value is None),),
    Tensor: (Rule("be a tensor", lambda value: isinstance(value, Tensor)),),
}
