"""Error against the number of experts N: do more experts help, and do they ever harm?"""

from __future__ import annotations

from itertools import product
from typing import Any

from badger_graph import plots
from badger_graph.experiments.paper.error_against import ErrorAgainst
from badger_graph.experiments.paper.error_bars import curve_table, heading, largest_rise
from badger_graph.experiments.paper.jobs import Groups, Job, Row, load_policy, shipped_groups
from badger_graph.experiments.paper.limits import along, limits
from badger_graph.experiments.paper.published import AGAINST_EXPERTS
from badger_graph.experiments.paper.relative_error import can_live
from topologies import AttentionTopology
from topologies.checks import EXPERTS, check, checked, size

NUMBERS = [1, 2, 4, 6, 8, 11, 16, 26, 41, 76, 128, 256, 512, 1000]
"""The authors' numbers among them."""

FEWEST_TASKS = 100


class ErrorAgainstExperts(ErrorAgainst):
    """3 MSE at the last step for more and more experts.

    What the JSON holds already is not measured again.

    Args:
        groups: the policies of each recipe, shipped ones, checkpoints or ``.pth`` files of the
            authors' code; by default all shipped ones that have seeds and were trained to the end.
        experts: the numbers of experts N; those that an agent cannot live with are left out.
        num_outputs: outputs d.
        num_steps: inner steps T.
        num_tasks: tasks for each policy and N up to 100; for larger N as many fewer.
        seed: seed of the tasks; the k-th policy of a group gets tasks of its own, ``seed + k``.
        top_k: measure policies with the topology ``attention`` once more where each expert hears
            only the k that suit it best; none: not.
        workers: policies side by side, one thread each.

    Raises:
        ValueError: when there are no such policies, or fewer than two N that one can live with.
    """

    name = "error_against_experts"
    against = "num_experts"

    @checked(num_outputs=size(), top_k=size())
    def __init__(
        self,
        groups: Groups | None = None,
        experts: list[int] = NUMBERS,
        num_outputs: int = 6,
        num_steps: int = 20,
        num_tasks: int = 1000,
        seed: int = 2,
        top_k: int | None = 8,
        workers: int = 2,
    ) -> None:
        if not experts:
            raise ValueError(f"experts must be at least one number, got {experts}")
        for n in experts:
            check("experts", n, *EXPERTS)
        groups = groups or shipped_groups(stages=False)
        super().__init__(groups, num_steps, num_tasks, seed, workers)
        self.experts = experts
        self.num_outputs = num_outputs
        self.top_k = top_k

    def comparison(self, rows: list[Row]) -> dict[str, Any]:
        places = sorted({row["num_experts"] for row in rows})
        limit = limits(self.num_outputs, self.num_steps, self.num_tasks, self.seed)
        return {
            "num_outputs": self.num_outputs,
            "largest_rise": {
                group: largest_rise([row for row in rows if row["group"] == group], self.against)
                for group in dict.fromkeys(row["group"] for row in rows)
            },
            "published": AGAINST_EXPERTS if self.num_outputs == 6 else {},
            "limits": along(places, [limit] * len(places)),
        }

    def jobs(self) -> list[Job]:
        jobs = []
        for group, policies in self.groups.items():
            agents = [load_policy(policy) for policy in policies]
            variants: dict[str, int | None] = {group: None}
            if self.top_k is not None and isinstance(agents[0].topology, AttentionTopology):
                variants[f"{group}, top {self.top_k}"] = self.top_k
            for (name, k), (number, agent), n in product(
                variants.items(), enumerate(agents), self.experts
            ):
                if can_live(agent, n, self.num_outputs):
                    sizes = (self.num_outputs, n, self.num_steps, tasks_for(n, self.num_tasks))
                    jobs.append(Job(name, policies[number], *sizes, self.seed + number, k))
        return jobs

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row a number of experts, one column a curve; below, whether a curve ever rises."""
        curves = {**result["curves"], **result["published"]}
        places = sorted({int(x) for curve in curves.values() for x in curve["x"]})
        verdicts = [_verdict(group, rise) for group, rise in result["largest_rise"].items()]
        return "\n".join([heading(result), "", curve_table("N", places, curves), "", *verdicts])

    figure = staticmethod(plots.error_against_experts)


def tasks_for(num_experts: int, num_tasks: int) -> int:
    """Fewer tasks for more than 100 experts, whose pairs all take time."""
    return max(min(num_tasks, FEWEST_TASKS), min(num_tasks, num_tasks * 100 // num_experts))


def _verdict(group: str, rise: dict[str, Any]) -> str:
    answer = "it rises" if rise["rises"] else "it never rises by more than its error bar"
    return (
        f"- {group}: **{answer}**; the largest rise beyond its bar is from N={rise['from']} to "
        f"N={rise['to']}, by {rise['rise']:.4f} with a 95% bar of {rise['bar']:.4f}"
    )
