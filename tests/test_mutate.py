"""What the mutations are; whether tests notice them is for the script itself, which takes long."""

from __future__ import annotations

import ast
import runpy

import pytest
from command_line import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "mutate.py"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = a < b", ["y = (a <= b)"]),
        ("y = f(a, b) - c", ["y = (f(a, b) + c)", "y = (f(b, a)) - c"]),
        ("y = -x.detach().min(2)", ["(x.detach().min(2))", "(x.detach().max(2))", "(x)", "(3)"]),
        ("if not a or b: x += 1", ["(not a and b)", "(a)", "pass", "(2)"]),
        ("raise ValueError(f'{a + b} < {c}')", []),
        ("def f(x: int = 3) -> int: return x", []),
    ],
)
def test_mutations_by_hand(line: str, expected: list[str]) -> None:
    found = SCRIPT["mutations"]("some.py", f"é = 'é'\n{line}\n")
    sources = [one.applied_to(f"é = 'é'\n{line}\n".encode()).decode() for one in found]
    assert len(sources) == len(expected)
    assert all(any(part in source for source in sources) for part in expected)


@pytest.mark.parametrize("file", SCRIPT["TESTS"])
def test_mutations_are_other_programs(file: str) -> None:
    """And the tests of the file are there."""
    source = (ROOT / file).read_text()
    for one in SCRIPT["mutations"](file, source)[:3]:
        assert ast.dump(ast.parse(one.applied_to(source.encode()))) != ast.dump(ast.parse(source))
    assert all(
        (ROOT / "tests" / f"test_{name}.py").is_file() for name in SCRIPT["TESTS"][file].split()
    )
