"""Why is Badger hard to train? python scripts/why_hard.py mutual_information.

Each experiment trains what is not trained yet and writes a JSON file, its table and its figure:
with ``--full true`` to ``results/why_hard/<name>.json``, of which the page is made. Without, it
takes at most a quarter of an hour on two cores and writes to ``runs/why_hard/results``, as it does
with ``--arguments "--config fast"``, which trains all of it with what shortens plateaus most.
``python scripts/why_hard.py page`` draws the figures again from these JSON files, without training.
"""

import re
import shlex
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from badger_graph.cli import fit_main, program
from badger_graph.experiments.why_hard import EXPERIMENTS
from badger_graph.experiments.why_hard.page import page
from badger_graph.experiments.why_hard.run import markdown, run
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
    try:
        shlex.split(arguments)
    except ValueError as error:
        raise ValueError(
            f"arguments must be words of a shell, got {arguments!r}: {error}"
        ) from error
    chosen = EXPERIMENTS[experiment]()
    scale = chosen.full if full else chosen.short
    told = (
        scale.seeds if seeds is None else seeds,
        scale.max_steps if max_steps is None else max_steps,
    )
    full = told == chosen.full
    command = f"python scripts/why_hard.py {experiment}"
    command += " --full true" if full else f" --seeds {told[0]} --max_steps {told[1]}"
    if arguments:
        command += f" --arguments {shlex.quote(arguments)}"
        refuse_unknown(shlex.split(arguments))
    out = out or (RESULTS if full and not arguments else f"{runs}/results")
    name = experiment + re.sub(r"\W+", "-", arguments).rstrip("-")
    print(markdown(run(chosen, name, *told, jobs, runs, out, command, arguments)))


if __name__ == "__main__":
    program(why_hard)
