"""Error against the number of outputs d: figure 7 of Rosa et al. 2019, with error bars."""

from __future__ import annotations

from typing import Any

from badger_graph import plots
from badger_graph.experiments.paper.error_against import ErrorAgainst
from badger_graph.experiments.paper.error_bars import curve_table, heading
from badger_graph.experiments.paper.jobs import (
    Groups,
    Job,
    Row,
    expert_rule,
    load_policy,
    shipped_groups,
)
from badger_graph.experiments.paper.limits import along, limits
from badger_graph.experiments.paper.published import AGAINST_OUTPUTS
from badger_graph.experiments.paper.relative_error import ExpertRule, can_live
from badger_graph.progress import track
from topologies.checks import EXPERTS, MAX_EXPERTS, checked, size


class ErrorAgainstOutputs(ErrorAgainst):
    """3 MSE at the last step for d = 1, 2, ...

    What the JSON holds already is not measured again.

    Args:
        groups: the policies of each recipe, shipped ones, checkpoints or ``.pth`` files of the
            authors' code; by default all shipped ones that have seeds.
        max_outputs: the largest d.
        num_experts: experts N for every d; by default as the card of each policy says.
        spare_experts: instead, N = d + so many.
        num_steps: inner steps T.
        num_tasks: tasks for each policy and d.
        seed: seed of the tasks; the k-th policy of a group gets tasks of its own, ``seed + k``.
        workers: policies side by side, one thread each.

    Raises:
        ValueError: when there are no such policies.
    """

    name = "error_against_outputs"
    against = "num_outputs"

    @checked(
        max_outputs=size(most=4096),
        num_experts=EXPERTS,
        spare_experts=size(0, MAX_EXPERTS),
    )
    def __init__(
        self,
        groups: Groups | None = None,
        max_outputs: int = 20,
        num_experts: int | None = None,
        spare_experts: int | None = None,
        num_steps: int = 20,
        num_tasks: int = 1000,
        seed: int = 2,
        workers: int = 2,
    ) -> None:
        super().__init__(groups or shipped_groups(), num_steps, num_tasks, seed, workers)
        self.outputs = list(range(1, max_outputs + 1))
        self.experts = ExpertRule(num_experts, spare_experts)

    def comparison(self, rows: list[Row]) -> dict[str, Any]:
        sizes = (self.num_steps, self.num_tasks, self.seed)
        bounds = [limits(d, *sizes) for d in track(self.outputs, "limits")]
        return {"published": AGAINST_OUTPUTS, "limits": along(self.outputs, bounds)}

    def jobs(self) -> list[Job]:
        jobs = []
        for group, policies in self.groups.items():
            for k, policy in enumerate(policies):
                rule, agent = expert_rule(policy, self.experts), load_policy(policy)
                jobs += [
                    Job(group, policy, d, rule(d), self.num_steps, self.num_tasks, self.seed + k)
                    for d in self.outputs
                    if can_live(agent, rule(d), d)
                ]
        return jobs

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row a number of outputs, one column a curve."""
        limits = {name: line for name, line in result["limits"].items() if name != "chance"}
        curves = {**result["curves"], **result["published"], **limits}
        outputs = [int(d) for d in result["limits"]["chance"]["x"]]
        return f"{heading(result)}\n\n{curve_table('d', outputs, curves)}"

    figure = staticmethod(plots.error_against_outputs)
