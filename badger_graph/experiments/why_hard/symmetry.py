"""Does whatever makes experts different remove the first plateau?"""

from __future__ import annotations

from collections.abc import Sequence

from badger_graph.experiments.trainings import Trained, Training
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    Experiment,
    Findings,
    Scale,
)

PLAIN = "plain"

VARIANTS = {
    PLAIN: "",
    "identifiers": "--model.agent.identifiers fixed",
    "random states at birth": "--model.agent.initial_state random",
    "exponential update": "--policy exponential",
    "own output weights": "--membrane own_readout",
    "diversity rewarded": "--model.regulariser badger_graph.outer.regularisers.Alikeness",
    "larger first weights": "--policy.gain 1.65",
}

FIRST, *_, LAST = variants.LEVELS

CLAIMS = (
    (FIRST, "own output weights", "Other output weights for each expert remove the first plateau"),
    (FIRST, "exponential update", "The exponential update of states removes the first plateau"),
    (LAST, "exponential update", "... and solves the game sooner"),
    (FIRST, "diversity rewarded", "Experts that are made more diverse leave the plateau sooner"),
    (FIRST, "identifiers", "So do experts with identifiers"),
    (FIRST, "random states at birth", "... with random states"),
    (FIRST, "larger first weights", "... and with larger weights at the start (the authors' 1.65)"),
)


class Symmetry(Experiment):
    """Ways to break the symmetry of experts, against the plain policy.

    Source: Šimánek (blog), "Symmetry" and "Mutual Information": different output weights of each
    expert, and the update ``0.5*hid0 + 0.7*(...)``, remove the first plateau.
    """

    title = "Breaking the symmetry of the experts"
    question = (
        "At birth all experts of the plain agent are in the same state, without identifiers: only "
        "their place in the graph, and whether they speak for an output, tells them apart. Which "
        "way of making them different shortens the plateaus?"
    )
    short = Scale(seeds=1, max_steps=1500)
    full = Scale(seeds=5, max_steps=3000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return variants.trainings(VARIANTS, "symmetry", seed, max_steps)

    def findings(self, trained: Sequence[Trained]) -> Findings:
        compared = variants.compare(trained)
        max_steps = trained[0].training.max_steps
        columns, rows = variants.table(trained, compared, stop=0.005)
        return Findings(
            claims=[
                variants.sooner_claim(says, compared, level, variant, PLAIN, max_steps)
                for level, variant, says in CLAIMS
            ],
            panels=[variants.error_panel(trained, "Error in training")],
            columns=columns,
            rows=rows,
            numbers=variants.numbers(compared),
        )
