"""Classes that have moved: files that were written before name them where they were."""

from __future__ import annotations

import re
from typing import Any

OUTER = "badger_graph.outer"

MOVED = {
    f"{OUTER}.losses.LastStep": f"{OUTER}.losses.last_step.LastStep",
    f"{OUTER}.losses.ConvergeFast": f"{OUTER}.losses.converge_fast.ConvergeFast",
    f"{OUTER}.losses.MeanOverEnd": f"{OUTER}.losses.mean_over_end.MeanOverEnd",
    f"{OUTER}.losses.LogError": f"{OUTER}.losses.log_error.LogError",
    f"{OUTER}.regularisers.Alikeness": f"{OUTER}.losses.alikeness.Alikeness",
    f"{OUTER}.curriculum.more_worlds.MoreWorlds": (
        f"{OUTER}.curriculum.more_codebooks.MoreCodebooks"
    ),
    "topologies.attention.AttentionTopology": "topologies.scored.AttentionTopology",
    "topologies.attention.TopKTopology": "topologies.scored.TopKTopology",
    "badger_graph.MoreWorlds": f"{OUTER}.curriculum.more_codebooks.MoreCodebooks",
    "badger_graph.outer.anneal.Anneal": "badger_graph.callbacks.annealing.Annealing",
    "badger_graph.outer.checkpoint.LastCheckpoint": (
        "badger_graph.callbacks.last_checkpoint.LastCheckpoint"
    ),
    "badger_graph.outer.checkpoint.StageCheckpoints": (
        "badger_graph.callbacks.stage_checkpoints.StageCheckpoints"
    ),
    "badger_graph.outer.checkpoint.WholeFiles": "badger_graph.callbacks.whole_files.WholeFiles",
    "badger_graph.outer.measuring.Measurements": "badger_graph.callbacks.measurements.Measurements",
    "badger_graph.outer.progress.OuterLoopBar": "badger_graph.callbacks.progress.OuterLoopBar",
    "badger_graph.outer.record.TrainingRecord": "badger_graph.callbacks.record.TrainingRecord",
}
"""Where each class was, and where it is."""


def current(value: Any) -> Any:
    """Plain data or text with every class of ours named where it is now."""
    if isinstance(value, dict):
        return {key: current(item) for key, item in value.items()}
    if isinstance(value, list):
        return [current(item) for item in value]
    return _NAMED.sub(_present, value) if isinstance(value, str) else value


def _present(match: re.Match[str]) -> str:
    return MOVED[match[0]]


_NAMED = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, MOVED))})(?![\w.])")
