"""What experiments tell fit.py is a training that can begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call

from badger_graph.cli import BadgerCLI, fit_main
from badger_graph.experiments.why_hard import EXPERIMENTS

BUILT = 7
"""Exit status of a training that was about to begin."""

TOLD = {
    tuple(training.words())
    for make in EXPERIMENTS.values()
    for training in make().trainings(seed=0, max_steps=10)
}


@pytest.mark.parametrize("told", sorted(TOLD), ids=" ".join)
def test_agents_of_all_trainings_can_be_built(
    told: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that do not fit are refused before the first outer step."""

    def stop(cli: BadgerCLI) -> None:
        raise SystemExit(BUILT)

    monkeypatch.setattr(BadgerCLI, "before_fit", stop)
    result = call(fit_main, *told, "--trainer.fast_dev_run", "true", cwd=tmp_path)
    assert result.code == BUILT, result.err
