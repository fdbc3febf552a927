"""What ``import badger_graph`` gives, and what it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import ROOT

import badger_graph


def test_every_name_that_is_exported_is_there() -> None:
    assert len(set(badger_graph.__all__)) == len(badger_graph.__all__)
    assert set(badger_graph.__all__) <= set(dir(badger_graph))
    assert all(getattr(badger_graph, name) is not None for name in badger_graph.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = badger_graph.Nonsense


def test_scikit_learn_is_imported_when_it_is_needed() -> None:
    code = """if True:
        import sys
        import badger_graph
        before = "sklearn" in sys.modules
        badger_graph.OnlineClassifier
        print(before, "sklearn" in sys.modules)
    """
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "True"]
