"""Do the tests notice? python scripts/mutate.py.

Each mutation changes one place of one file of the core, as a slip of the pen would: a sign, a
comparison, an end of a range, min for max, two arguments swapped, a line left out. The tests of
that file must fail. Mutations are drawn with a seed, as many of every file; a copy of the project
is mutated, never the project itself. Those that nobody noticed are printed with their line: a test
is missing, or the change makes no difference.
"""

from __future__ import annotations

import ast
import copy
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lightning  # noqa: F401  # imported once, for all processes that are forked
import pytest
import torch

from badger_graph.cli import program
from badger_graph.files import require_outputs, write_json
from badger_graph.progress import track
from topologies.checks import check_sizes

ROOT = Path(__file__).parent.parent

TESTS = {
    "badger_graph/agent.py": "agent checks rollout policies_attention",
    "badger_graph/actions/bits.py": "actions",
    "badger_graph/actions/choice.py": "actions",
    "badger_graph/building.py": "agent",
    "badger_graph/checks.py": "checks",
    "badger_graph/birth.py": "birth agent growth checks",
    "badger_graph/pyg.py": "agent growth",
    "badger_graph/rollout.py": "rollout",
    "badger_graph/growth.py": "growth",
    "badger_graph/communication/fixed_rounds.py": "communication agent",
    "badger_graph/executors/adjacency.py": "executors policies",
    "badger_graph/executors/base.py": "executors checks agent",
    "badger_graph/executors/dense.py": "executors policies",
    "badger_graph/executors/fused.py": "fused executors policies",
    "badger_graph/executors/prepare.py": "executors",
    "badger_graph/executors/sparse.py": "executors policies",
    "badger_graph/policies/aggregation.py": "executors policies",
    "badger_graph/policies/attention.py": "policies_attention attention",
    "badger_graph/policies/chaotic.py": "policies_recurrent policies",
    "badger_graph/policies/exponential.py": "policies_recurrent policies",
    "badger_graph/policies/gru.py": "policies",
    "badger_graph/policies/lstm.py": "policies_lstm",
    "badger_graph/policies/message.py": "executors policies",
    "badger_graph/membranes/addressed.py": "membranes_addressed membranes",
    "badger_graph/membranes/hardwired.py": "membranes",
    "badger_graph/membranes/own_readout.py": "membranes_own_readout membranes",
    "badger_graph/membranes/whole.py": "membranes policies_lstm",
    "badger_graph/tasks/guessing.py": "tasks bad_inputs",
    "badger_graph/tasks/hidden_target.py": "tasks",
    "badger_graph/tasks/waves.py": "tasks",
    "badger_graph/outer/losses/alikeness.py": "learner_options",
    "badger_graph/outer/losses/log_error.py": "losses",
    "badger_graph/outer/losses/mean_over_end.py": "losses",
    "badger_graph/outer/losses/weighted_mean.py": "losses",
    "badger_graph/outer/stream.py": "stream",
    "badger_graph/outer/rate.py": "curriculum learner_options",
    "badger_graph/outer/gradients/hand_on.py": "captured outer_gradients",
    "badger_graph/outer/gradients/jacobian.py": "learner_options",
    "badger_graph/outer/curriculum/stages.py": "curriculum",
    "badger_graph/outer/curriculum/more_codebooks.py": "curriculum",
    "badger_graph/outer/curriculum/one_more_output.py": "curriculum",
    **{
        f"badger_graph/analysis/{test.stem[len('test_analysis_') :]}.py": test.stem[len("test_") :]
        for test in sorted((ROOT / "tests").glob("test_analysis_*.py"))
    },
    "topologies/learned.py": "topologies_learned",
    "topologies/hardwired.py": "topologies",
    "topologies/random.py": "topologies",
}
"""The files of the core, and the test files of each by what follows ``test_``."""

ONE_OR_OTHER = "min max, amin amax, argmin argmax, minimum maximum, mean sum, exp expm1, cat stack"
NAMES = dict(pair.split() for pair in ONE_OR_OTHER.split(", "))
NAMES |= {other: name for name, other in NAMES.items()}

OPERATORS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
    ast.Add: ast.Sub,
    ast.Div: ast.Mult,
}
OPERATORS |= {other: one for one, other in OPERATORS.items()}
OPERATORS |= {ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult}

MEMORY = 2**33
"""Bytes that the tests may take: a wrong size may be any size."""

IGNORED = (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr, ast.Assert, ast.arguments)
"""Messages, signatures and imports: what they say is not what is computed."""


class Mutation(NamedTuple):
    """One place of a file, and what stands there instead."""

    file: str
    line: int
    before: str
    after: str
    start: int
    stop: int

    def applied_to(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.stop :]


def mutations(file: str, source: str) -> list[Mutation]:
    """All there are of a file, in its order."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in computed(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        stop = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        for after in changed(node):
            before = ast.get_source_segment(source, node) or ""
            bracketed = after if isinstance(node, ast.stmt) else f"({after})"
            found.append(Mutation(file, node.lineno, before, bracketed, start, stop))
    return found


def computed(node: ast.AST) -> Iterator[Any]:
    """The nodes of a tree that have a place, without messages, signatures and texts."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, IGNORED):
                if hasattr(child, "lineno"):
                    yield child
                yield from computed(child)


def changed(node: ast.AST) -> Iterator[str]:
    """What a slip of the pen makes of an expression or statement."""
    other: Any = copy.deepcopy(node)
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in OPERATORS:
            other.ops[0] = OPERATORS[type(op)]()
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            other.op = OPERATORS[type(op)]()
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert(), operand=operand):
            other = copy.deepcopy(operand)
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            other.value = value + 1
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            other.func.attr = NAMES[name]
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            other.func.id = NAMES[name]
        case ast.Call(func=ast.Attribute(attr="detach" | "clone" | "clamp", value=value)):
            other = value
        case ast.Call(args=[first, second, *_]) if not isinstance(second, ast.Starred):
            other.args[:2] = [second, first]
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            other = ast.Pass()
        case ast.IfExp(body=body, orelse=orelse):
            other.body, other.orelse = orelse, body
        case _:
            return
    after = ast.unparse(ast.fix_missing_locations(other))
    if after != ast.unparse(node):
        yield after


def noticed(project: Path, mutation: Mutation, seconds: float) -> bool:
    """Whether the tests of the file fail in a copy of the project, or take too long.

    In a process forked from this one, which has imported what takes long.
    """
    file = project / mutation.file
    source = file.read_bytes()
    file.write_bytes(mutation.applied_to(source))
    try:
        return not passes(project, TESTS[mutation.file].split(), seconds)
    finally:
        file.write_bytes(source)


def passes(project: Path, tests: list[str], seconds: float) -> bool:
    """Whether these tests of a copy of the project pass within so many seconds of the CPU."""
    copy = multiprocessing.get_context("fork").Process(
        target=_run_tests, args=(project, tests, seconds)
    )
    copy.start()
    copy.join()
    return copy.exitcode == 0


def _run_tests(project: Path, tests: list[str], seconds: float) -> None:
    os.setsid()  # what the tests do to their process group is not done to this script
    signal.setitimer(signal.ITIMER_PROF, seconds)  # the signals of both end the process
    signal.setitimer(signal.ITIMER_REAL, 20 * seconds)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for name in [*sys.modules]:
        if name.split(".")[0] in ("badger_graph", "topologies"):
            del sys.modules[name]
    os.chdir(project)
    sys.path.insert(0, str(project))
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    files = [f"tests/test_{name}.py" for name in tests]
    sys.exit(pytest.main(["-x", "-q", "-n0", "-p", "no:cacheprovider", *files]))


def mutate(
    each: int = 3,
    seed: int = 0,
    seconds: float = 300,
    only: str = "",
    out: str = "results/reliability/mutations.json",
) -> None:
    """Mutate the core and count what the tests notice.

    What was noticed before is not tried again; what was not, is, as a test may have come.

    Args:
        each: mutations of every file, fewer where it has fewer.
        seed: draws them.
        seconds: of the CPU, after which a mutation counts as noticed.
        only: files with this in their name.
        out: where to write them all.

    Raises:
        ValueError: when the tests fail as it is, or a number is below 1.
    """
    check_sizes(each=(each, 1), seed=(seed, 0))
    torch.set_num_threads(1)
    file = Path(out).absolute()
    require_outputs(file)
    drawn = []
    for name in (name for name in TESTS if only in name):
        there = mutations(name, (ROOT / name).read_text())
        drawn += random.Random(f"{seed} {name}").sample(there, min(each, len(there)))
    before = json.loads(file.read_text())["rows"] if file.is_file() else []
    known = {_key(row): row for row in before if row["noticed"]}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        skipped = shutil.ignore_patterns(".*", "runs", "results", "__pycache__")
        shutil.copytree(ROOT, project, ignore=skipped)
        for mutation in track(drawn, "mutating"):
            row = {name: getattr(mutation, name) for name in ("file", "line", "before", "after")}
            row["noticed"] = _key(row) in known or noticed(project, mutation, seconds)
            rows.append(row)
            known.pop(_key(row), None)
            write_json(file, summary(seed, [*rows, *known.values()]))  # whole at any moment
            if not row["noticed"]:
                print(f"{mutation.file}:{mutation.line}: {mutation.before} -> {mutation.after}")
                sys.stdout.flush()
        names = sorted({mutation.file for mutation in drawn})
        failing = [name for name in names if not passes(project, TESTS[name].split(), seconds)]
    if failing:
        raise ValueError(f"the tests must pass without a mutation, got failures for {failing}")
    result = summary(seed, rows)
    write_json(file, result)
    print(f"{result['noticed']} of {result['mutations']} mutations were noticed")


def summary(seed: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What is kept: how many were noticed, and all of them."""
    count = sum(row["noticed"] for row in rows)
    return {"seed": seed, "mutations": len(rows), "noticed": count, "rows": rows}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("file", "line", "before", "after"))


if __name__ == "__main__":
    program(mutate)
