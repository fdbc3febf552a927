"""Error against the number of outputs d: figure 7 of Rosa et al. 2019, with error bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from badger_graph import plots
from badger_graph.experiments.error_bars import curves, heading, table
from badger_graph.experiments.limits import along, limits
from badger_graph.experiments.measurements import (
    Groups,
    Job,
    expert_rule,
    load_policy,
    measure,
    require_policies,
    shipped_groups,
    with_others,
)
from badger_graph.experiments.published import AGAINST_OUTPUTS
from badger_graph.experiments.relative_error import ExpertRule, can_live
from badger_graph.files import require_outputs, write_json, write_text
from badger_graph.progress import track
from badger_graph.settings import MAX_THREADS
from topologies.checks import EXPERTS, MAX_EXPERTS, SEED, checked, size


@checked(
    max_outputs=size(most=4096),
    num_experts=EXPERTS,
    spare_experts=size(0, MAX_EXPERTS),
    num_steps=size(),
    num_tasks=size(2),
    seed=SEED,
    workers=size(most=MAX_THREADS),
)
def error_against_outputs(
    groups: Groups | None = None,
    max_outputs: int = 20,
    num_experts: int | None = None,
    spare_experts: int | None = None,
    num_steps: int = 20,
    num_tasks: int = 1000,
    seed: int = 2,
    workers: int = 2,
    out: str = "results/error_against_outputs.json",
) -> dict[str, Any]:
    """Measure, tabulate and draw 3 MSE at the last step for d = 1, 2, ...

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
        out: where to keep the measurements; table and figure go beside it.

    Raises:
        ValueError: when there are no such policies.
    """
    torch.set_num_threads(1)
    require_outputs(out)
    groups = groups or shipped_groups()
    told = ExpertRule(num_experts, spare_experts)
    outputs = list(range(1, max_outputs + 1))
    jobs = []
    require_policies(groups)
    for group, policies in groups.items():
        for k, policy in enumerate(policies):
            rule, agent = expert_rule(policy, told), load_policy(policy)
            jobs += [
                Job(group, policy, d, rule(d), num_steps, num_tasks, seed + k)
                for d in outputs
                if can_live(agent, rule(d), d)
            ]
    file = Path(out)
    rows = measure(jobs, file, workers)
    limited = [limits(d, num_steps, num_tasks, seed) for d in track(outputs, "limits")]
    result = {
        "num_steps": num_steps,
        "num_tasks": num_tasks,
        "seed": seed,
        "curves": curves(rows, "num_outputs"),
        "published": AGAINST_OUTPUTS,
        "limits": along(outputs, limited),
        "rows": with_others(rows, file),
    }
    write_json(file, result)
    write_text(file.with_suffix(".md"), markdown(result) + "\n")
    plots.error_against_outputs(result).savefig(file.with_suffix(".png"))
    return result


def markdown(result: dict[str, Any]) -> str:
    """One row a number of outputs, one column a curve."""
    limits = {name: line for name, line in result["limits"].items() if name != "chance"}
    curves = {**result["curves"], **result["published"], **limits}
    outputs = [int(d) for d in result["limits"]["chance"]["x"]]
    return f"{heading(result)}\n\n{table('d', outputs, curves)}"
