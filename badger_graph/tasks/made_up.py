"""What all families of made-up examples share: how many inputs, examples and lives there are."""

from __future__ import annotations

from abc import ABC

from badger_graph.ranges import Range, between, check_range, ends
from badger_graph.tasks.base import TaskFamily
from badger_graph.tasks.draws import Draw


class MadeUpExamples(TaskFamily, ABC):
    """Examples of new kinds in every life, of sizes that are drawn anew in every outer step.

    Args:
        num_inputs: n, a number, or a range to draw from.
        num_examples: T, likewise, evenly in its logarithm.
        few_inputs: this part of the outer steps has few inputs.
        most_numbers: a batch is made smaller where its inputs, outputs and examples multiply to
            more than this.

    Raises:
        ValueError: for an empty range, or a number below 1.
    """

    def __init__(
        self, num_inputs: Range, num_examples: Range, few_inputs: float, most_numbers: int
    ) -> None:
        check_range("num_inputs", num_inputs)
        check_range("num_examples", num_examples)
        self.num_inputs = num_inputs
        self.num_examples = num_examples
        self.few_inputs = few_inputs
        self.most_numbers = most_numbers

    @property
    def chance(self) -> float:
        return 1.0

    def draw_sizes(
        self, draw: Draw, batch_size: int, num_outputs: int, few: int
    ) -> tuple[tuple[int, int, int], bool]:
        """Examples T, lives B and inputs n; and whether this is one of those with few inputs.

        Args:
            draw: source of the random draws.
            batch_size: lives B, at most.
            num_outputs: outputs d.
            few: so many inputs are few.
        """
        is_few = draw.chance(self.few_inputs)
        low, high = ends(self.num_inputs)
        num_inputs = draw.whole(low, min(high, max(low, few)) if is_few else high)
        num_examples = between(self.num_examples, draw.number())
        numbers = num_inputs * num_outputs * num_examples
        lives = max(1, min(batch_size, self.most_numbers // numbers))
        return (num_examples, lives, num_inputs), is_few
