"""The command of all experiments on training, and of the page of their results."""

from __future__ import annotations

import shlex
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from badger_graph.cli import fit_main
from badger_graph.experiments.runner import run
from badger_graph.experiments.why_hard import EXPERIMENTS
from badger_graph.experiments.why_hard.page import page
from topologies.checks import check_choice, checked

RESULTS = "results/why_hard"


def refuse_unknown(arguments: list[str]) -> None:
    """End with what fit.py says of arguments that it refuses, before it is started many times."""
    with redirect_stdout(StringIO()):
        try:
            fit_main([*arguments, "--print_config"])
        except SystemExit as stop:
            if stop.code:
                raise


@checked()
def why_hard(
    experiment: str,
    full: bool = False,
    seeds: int | None = None,
    max_steps: int | None = None,
    jobs: int = 2,
    runs: str = "runs/why_hard",
    out: str | None = None,
    arguments: str = "",
) -> None:
    """Run an experiment, or write the page of all results with their figures.

    Args:
        experiment: its name; ``page`` writes docs/why_hard.md from the results there are, and
            draws their figures again, without training.
        full: as many seeds and outer steps as the committed results have.
        seeds: other than those.
        max_steps: outer steps of a training at most, other than those.
        jobs: trainings side by side, one thread each.
        runs: where to keep the trainings.
        out: where to write, other than there; table and figure go beside the JSON.
        arguments: further ones of fit.py, for every training.

    Raises:
        ValueError: for an unknown experiment or a number below 1.
    """
    if experiment == "page":
        page(Path(out or RESULTS), Path("docs/why_hard.md"))
        return
    check_choice("experiment", experiment, EXPERIMENTS, ", or page")
    study = EXPERIMENTS[experiment](full, seeds, max_steps, jobs, runs, arguments)
    if arguments:
        refuse_unknown(shlex.split(arguments))
    folder = out or (RESULTS if study.is_full else f"{runs}/results")
    print(study.markdown(run(study, Path(folder) / f"{study.slug}.json")))
