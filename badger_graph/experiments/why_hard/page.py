"""The page of results: what was claimed, what was measured, and whether it holds."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from badger_graph.analysis.subject import COMPONENTS
from badger_graph.experiments.runner import write
from badger_graph.experiments.tables import table
from badger_graph.experiments.why_hard import EXPERIMENTS
from badger_graph.experiments.why_hard.base import CHANCE, LEFT
from badger_graph.experiments.why_hard.binding import SWINGS
from badger_graph.experiments.why_hard.experiment import TrainingExperiment
from badger_graph.experiments.why_hard.findings import WHOSE, claims_of, markdown
from badger_graph.experiments.why_hard.frequencies import WEAK
from badger_graph.experiments.why_hard.losses import MARGIN as GAIN
from badger_graph.experiments.why_hard.mutual_information import COPIES
from badger_graph.experiments.why_hard.plateaus import CLOSE
from badger_graph.experiments.why_hard.rejudged import rejudge
from badger_graph.experiments.why_hard.standstill import LEAST, SHARE
from badger_graph.files import write_text

INTRODUCTION = """# Why is Badger hard to train?

Petr Šimánek's study of that name (2020, a post on GoodAI's blog) looks at Micro-Badger: a dozen
experts that all run the same small recurrent network and talk along the edges of a random graph.
They learn to guess numbers: all they are told is how wrong the last guess was, in one number. In
training the error stands still on several plateaus. First all numbers are guessed as zero, then all
as the same number, then they are learned one by one. The study gives four explanations, that do
not exclude each other: what improves one number spoils another (ray interference), gradients of the
numbers cancel, symmetric loss functions have many saddles, and squared errors say little in many
dimensions. Behind most of them is symmetry: nothing tells one expert, or one number, from another.
It then looks for what goes with leaving a plateau. Each of its figures is of one run or two, and
its formulas are lost.

Here its claims are tested with several seeds, but for those [at the end](#not-tested), and so are
its suggestions and some questions of our own: the tables say whose each is. This page is written by
`python scripts/why_hard.py page` from the JSON files in `results/why_hard`."""

RULES = f"""## How to read it

- ± is half of a 95% interval over seeds (Student's t).
- A claim about a sign holds (*yes*) where this interval lies on its side of zero, does not (*no*)
  where it lies on the other, and is *undecided* otherwise.
- That something is absent is *yes* only where the interval ends below a margin ({WEAK} for a rank
  correlation, {GAIN:.0%} of the plain run's number for a gain by another loss or by more experts),
  and *no* where it lies above zero.
- Swings are absent where the interval ends below {SWINGS:.0%} of the motion, and there where it
  lies above. A Hurst exponent is that of noise where the interval of how far it is from those of
  shuffled copies lies within {CLOSE}: that they do not exclude it shows nothing.
- What one schedule of training does not reach, another may: *undecided*.
- Claims about counts, of seeds or of plateaus: all is *yes*, some *partly*, none *no*.
- *Partly* also stands where only a part of the claim holds.
- One seed decides nothing: *undecided*. And of so many claims at 95%, one in twenty or so errs.
- Times are those of one thread; two trainings run side by side, so that a clock shows about half.
- Medians of outer steps are of the runs that got to a level, with "n of m" where not all did; in
  differences, a run that never gets there, or diverges before, counts as if it did at the last
  outer step.
- Thin lines in figures are seeds, or pairs of experts where they say so, bold ones their median; a
  run that stopped early, as it had solved the game, keeps its last value. Small points are seeds,
  hollow ones those that never got there, and large points medians of all, hollow where most did
  not."""

WORDS = {
    "expert, in-links": "one of the N copies of the network, with a state of its own; in-links are "
    "the edges on which it hears others",
    "inner step, life": "all experts send, update their states and guess once; a life is all inner "
    "steps on one task, with frozen weights",
    "outer step": "one update of the shared weights, after a batch of lives",
    "error, chance": "mean squared error (MSE) of the last guess of a life; chance is that of "
    "always guessing zero, 1/3",
    "plateau": f"at least {LEAST} outer steps whose errors fit one level within {SHARE:.0%}; the "
    f"first is left when the error is below {LEFT / CHANCE:.0%} of chance",
    "one number for all": "the plateau on which all outputs guess the same number, at best the "
    "mean of what they should: an error of 1/3 (1 - 1/d), 0.25 for four numbers",
    "nats": "unit of entropy and information, with natural logarithms: a bit is 0.69 nats",
    "total correlation (TC)": "sum of the entropies of single experts, minus the entropy of all "
    "together: what they have in common, counted once for each further expert that has it",
    "binding information (B)": "entropy of all experts together, minus the sum of what each has "
    "left when all others are known: what two or more share, counted once",
    "O-information, redundancy": "TC - B; as a share (TC - B) / (TC + B): above zero redundancy "
    "(many know the same), below synergy (only together they know)",
    "of states": f"information is that of {COMPONENTS} numbers an expert, the directions in which "
    "its states differ most over tasks, taken for Gaussian after ranking, with a noise (ridge) of "
    f"0.001 of the variance: two experts in the same state share {COPIES:.1f} nats, not infinitely "
    "many",
    "Hurst exponent": "H where the swings of the summed-up series about its trend grow as (length "
    "of the window)^H: 0.5 is noise without memory, more goes on, less turns back",
    "Lyapunov exponent": "mean logarithm of the factor by which two nearly equal states, or pieces "
    "of a curve, part in one step: above zero they part, below they come together",
    "rank correlation": "that of the ranks of two numbers, from -1 to 1 (Spearman's); given the "
    "outer step: of what in them does not just go up or down with it",
    "(shuffled)": "beside a number of a series, where the same of 95% of 199 copies lies that have "
    "its values in random order",
    "left of their sum": "length of the sum of the gradients of single numbers' errors, over the "
    "sum of their lengths: 1 where all agree, 0 where they cancel",
    "guesses that are one number": "mean square, over tasks, of the mean of all outputs, over that "
    "of single ones, less what each says on any task: 1 where all guess the same, 1/d where each "
    "goes its own way",
    "growth of the guesses": "the factor by which the root mean square of guesses, less what each "
    "says on any task, grows in 100 outer steps",
    "moves ... of their size": "root mean square of the change of a guess in each of the last five "
    "inner steps, over that of the last guess: 0 where a life has come to rest",
    "steps at rest": "inner steps at the end of a life from the first on which all guesses are "
    "nearer to the last one than a tenth of its size, in root mean squares",
}
"""What the tables speak of, each with its formula in words."""

GLOSSARY = "## Words\n\n" + table(["word", "meaning"], WORDS.items())

NOT_TESTED = """## Not tested

Claims of the study without an experiment here:

- *The L2 error gets worse with dimension, and saddles multiply with the number of outputs.* Nothing
  here varies the number of outputs d with all else equal.
- *Gradients conflict as in reinforcement learning, where supervised learning goes straight.* The
  conflict is measured in Badger alone, without a supervised control.
- *An architecture with products of features (Yu 2019) avoids conflicting gradients.* Only the other
  half of that suggestion, gradient surgery, is tested.
- *Weights of its own for each expert break an invariance.* That trained experts can be permuted
  is not tested here, nor that links are made use of where there are some; but
  `scripts/unseen_graphs.py` cuts them.
- Landscape analysis, learned loss functions and Hebbian networks: suggestions for later."""


def page(results: Path, file: Path) -> None:
    """Write the page of all results there are, and table and figure of each beside its JSON again.

    All is made of what the JSON files hold, without any training; verdicts and panels that their
    numbers suffice for are judged and drawn by today's rules, and so kept in the files.

    Raises:
        ValueError: when there is no result.
    """
    entries = [
        (path, rejudge(path.stem, json.loads(path.read_text())))
        for path in sorted(results.glob("*.json"), key=_place)
    ]
    if not entries:
        raise ValueError(f"the page needs results, got none in {str(results)!r}")
    for path, result in entries:
        write(TrainingExperiment, result, path)
    sections = [_section(path, result, file.parent) for path, result in entries]
    parts = [INTRODUCTION, _overview(entries), RULES, GLOSSARY, *sections, NOT_TESTED]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "\n\n".join(parts) + "\n")


def _place(path: Path) -> tuple[int, str]:
    """In the order of the experiments, any others after them."""
    names = [*EXPERIMENTS, path.stem]
    return names.index(path.stem), path.stem


def _overview(entries: list[tuple[Path, dict[str, Any]]]) -> str:
    rows = [
        [
            f"[{path.stem.replace('_', ' ')}](#{_anchor(result['title'])})",
            claim.says,
            WHOSE[claim.of],
            f"**{claim.holds}**",
        ]
        for path, result in entries
        for claim in claims_of(result)
    ]
    return "## All claims\n\n" + table(["experiment", "claim", "whose", "holds"], rows)


def _anchor(title: str) -> str:
    """What GitHub calls the place of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _section(path: Path, result: dict[str, Any], beside: Path) -> str:
    picture = os.path.relpath(path.with_suffix(".png"), beside)
    effort = (
        f"{result['trainings']} trainings of at most {result['max_steps']:,} outer steps, "
        f"{result['seeds']} seed{'s' * (result['seeds'] > 1)}; "
        f"{result['cpu_seconds'] / 60:.0f} minutes of CPU time ({result['machine']})."
    )
    return "\n\n".join(
        [
            f"## {result['title']}",
            result["question"],
            f"```bash\n{result['command']}\n```",
            effort,
            markdown(result),
            f"![{result['title']}]({picture})",
        ]
    )
