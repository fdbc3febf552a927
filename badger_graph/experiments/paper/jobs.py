"""Errors of many policies at many sizes: measured once and kept as rows."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from badger_graph.agent import BadgerAgent
from badger_graph.experiments.paper.relative_error import ExpertRule, Measurement, relative_error
from badger_graph.files import read_json, write_json
from badger_graph.library.authors import load_authors
from badger_graph.library.load import load_agent, load_trained, read_trained
from badger_graph.library.shipping import find_policy, read_card, shipped_policies
from badger_graph.progress import progress
from badger_graph.tasks import GuessingGame
from topologies import TopKTopology

Row = dict[str, Any]
"""A job as a dict with its ``error`` and ``standard_error``, and a hash of the ``weights``."""

Groups = dict[str, list[str]]
"""The policies of each recipe: one for each seed."""


AUTHORS_EXPERTS = 20
"""N of figure 7 of Rosa et al. 2019, from the authors' code."""


class Job(NamedTuple):
    """One policy at one size, in the guessing game."""

    group: str
    policy: str
    num_outputs: int
    num_experts: int
    num_steps: int
    num_tasks: int
    seed: int
    top_k: int | None = None
    """Experts heard by each, in place of all whom its topology of attention lets it hear."""


def shipped_groups(stages: bool = True) -> Groups:
    """Shipped policies of several seeds that guess numbers: ``recurrent-0``, ``recurrent-1``, ...
    are one group.

    Args:
        stages: also those from the middle of a training, when d outputs were mastered: the group
            ``<recipe>_d<outputs>``.

    Raises:
        ValueError: when there are none.
    """
    groups: Groups = {}
    for name in shipped_policies():
        recipe = re.fullmatch(r"(.+?)(_d\d+)?-\d+", name)
        if recipe and (stages or not recipe[2]) and _guesses(name):
            groups.setdefault(recipe[1] + (recipe[2] or ""), []).append(name)
    if not groups:
        raise ValueError(
            "policies must be shipped as <recipe>-<seed>, or named by --groups, "
            f"got {', '.join(shipped_policies())}"
        )
    return groups


def named_groups(names: Iterable[str]) -> Groups:
    """The policies of each name: a recipe's shipped ones, or those that commas join.

    Args:
        names: ``"recurrent"`` for ``recurrent-0``, ``recurrent-1``, ...; or policies and
            checkpoints, as in ``"micro_badger"`` or ``"a.ckpt,b.ckpt"``.
    """
    shipped = shipped_groups()
    return {name: shipped.get(name) or name.split(",") for name in names}


def _guesses(policy: str) -> bool:
    task = read_card(policy)["config"]["task"]["class_path"]
    return bool(task == f"{GuessingGame.__module__}.{GuessingGame.__qualname__}")


def load_policy(policy: str) -> BadgerAgent:
    """The agent of a shipped policy, a checkpoint, or a ``.pth`` file of the authors' code."""
    return load_authors(policy) if _is_authors(policy) else load_agent(policy)


def hears_top_k(agent: BadgerAgent, k: int) -> BadgerAgent:
    """A copy of an agent with the topology ``attention`` that has ``top_k`` of the same weights."""
    agent = copy.deepcopy(agent)
    agent.topology = TopKTopology.of(agent.topology, k)  # type: ignore[arg-type]
    return agent


def expert_rule(policy: str, rule: ExpertRule) -> ExpertRule:
    """The rule, if it says anything; else the card's; else as many experts as in training."""
    if rule != ExpertRule():
        return rule
    if find_policy(policy) is not None:
        return ExpertRule(**read_card(policy)["errors"]["experts"])
    if _is_authors(policy):
        return ExpertRule(num_experts=AUTHORS_EXPERTS)
    return ExpertRule(num_experts=load_trained(policy).num_experts)


def measure(
    jobs: Iterable[Job], file: Path, workers: int = 2, say: Callable[[str], None] = print
) -> list[Row]:
    """Measure every job that ``file`` does not hold already; it is up to date at any moment.

    A policy whose weights changed is measured again. Policies run side by side, one thread each.
    """
    jobs = list(jobs)
    if not jobs:
        raise ValueError("there must be something to measure, got no policy and size that fit")
    weights = {policy: fingerprint(policy) for policy in dict.fromkeys(job.policy for job in jobs)}
    rows = {_key(row): row for row in kept_rows(file)}
    job_rows = [job._asdict() | {"weights": weights[job.policy]} for job in jobs]
    lock = threading.Lock()

    def measure_policy(policy: str) -> None:
        todo = [row for row in job_rows if row["policy"] == policy and _key(row) not in rows]
        agent = load_policy(policy) if todo else None
        for row in todo:
            assert agent is not None
            result = row | _measure(agent, row)._asdict()
            with lock:
                rows[_key(row)] = result
                write_json(file, {"rows": list(rows.values())})
                sizes = f"d={row['num_outputs']}, N={row['num_experts']}"
                say(f"{policy}, {sizes}: {result['error']:.4f}")
                advance()

    missing = sum(_key(row) not in rows for row in job_rows)
    with progress("measuring", missing) as advance, ThreadPoolExecutor(workers) as pool:
        list(pool.map(measure_policy, weights))
    return [rows[_key(row)] | row for row in job_rows]  # a group may have another name by now


def kept_rows(file: Path) -> list[Row]:
    """The rows of earlier measurements; none without a file."""
    if not file.is_file():
        return []
    contents = read_json(file)
    if not isinstance(contents, dict) or not isinstance(contents.get("rows"), list):
        raise ValueError(f"measurements must be kept as rows, got none in {str(file)!r}")
    return contents["rows"]


def with_others(rows: list[Row], file: Path) -> list[Row]:
    """These rows, then what ``file`` holds of other sizes and policies."""
    weights = {row["policy"]: row["weights"] for row in rows}
    keys = {_key(row) for row in rows}
    return rows + [
        row
        for row in kept_rows(file)
        if weights.get(row["policy"], row["weights"]) == row["weights"] and _key(row) not in keys
    ]


def fingerprint(policy: str) -> str:
    """Tells agents apart: a hash of how they are built and of their weights."""
    if find_policy(policy) is None:
        # Whoever loads it says what is wrong with a file that holds no agent.
        load_authors(policy) if _is_authors(policy) else read_trained(policy)
        return hashlib.sha256(Path(policy).read_bytes()).hexdigest()
    card = read_card(policy)
    identity = json.dumps([card["config"], card["sha256"]], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def _is_authors(policy: str) -> bool:
    return Path(policy).suffix == ".pth"


def _measure(agent: BadgerAgent, row: Row) -> Measurement:
    sizes = ("num_experts", "num_outputs", "num_steps", "num_tasks", "seed")
    if row["top_k"] is not None:
        agent = hears_top_k(agent, row["top_k"])
    return relative_error(agent, GuessingGame(), **{name: row[name] for name in sizes})


def _key(row: Row) -> tuple[Any, ...]:
    """What a measurement depends on."""
    names = (name for name in Job._fields if name not in ("group", "policy"))
    return (row["weights"], *(row.get(name) for name in names))
