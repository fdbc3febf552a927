"""YAML of others: plain data, in bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from badger_graph.safe_yaml import MAX_EXPANDED, load_yaml, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)

REFUSED = {
    BOMB: "with aliases must stand for at most 100000 values",
    "a: &a {b: {c: 1}}\n" + "d: {<<: [" + "*a, " * (MAX_EXPANDED // 4) + "]}": "aliases must stand",
    "&a [*a]": r"must not hold itself, got \*a",
    "a: *b": "undefined alias",
    "[" * 101 + "]" * 101: "nested at most 100 deep",
    "[" * 100_000: "nested|nesting",
    "!!python/object/apply:os.system ['true']": "python/object/apply",
    "!!python/name:os.system": "python/name",
    "a: {b": "well-formed",
    "\0": "well-formed",
    "a: 1\n\tb: 2": "well-formed",
}


@pytest.mark.parametrize(("text", "rule"), REFUSED.items(), ids=lambda text: text[:20])
def test_what_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=rule) as caught:
        read_yaml(file)
    assert str(caught.value).endswith(f" in {str(file)!r}")
    assert len(str(caught.value)) < 500


def test_what_is_taken() -> None:
    assert load_yaml("a: &x {k: 1}\nb: *x\nc: {<<: *x, z: [2, .inf]}") == {
        "a": {"k": 1},
        "b": {"k": 1},
        "c": {"k": 1, "z": [2, float("inf")]},
    }
    many = load_yaml("[" + "1, " * (MAX_EXPANDED + 9) + "]")  # written out, not multiplied
    assert many == [1] * (MAX_EXPANDED + 9)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be text, got"):
        read_yaml(file)
