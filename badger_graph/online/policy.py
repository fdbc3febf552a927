"""The frozen policies of those who train nothing."""

from __future__ import annotations

from pathlib import Path

from badger_graph.agent import BadgerAgent
from badger_graph.library.load import load_agent
from badger_graph.typing import Interface


def load_for(policy: str | Path, interface: Interface) -> BadgerAgent:
    """A frozen agent that lives in worlds of this interface.

    Args:
        policy: a shipped policy, or a checkpoint.

    Raises:
        ValueError: for a policy that is none, or for other worlds.
    """
    agent = load_agent(policy)
    if agent.interface != interface:
        raise ValueError(
            f"the policy must be for a world with {interface}, got {str(policy)!r}, which is for "
            f"one with {agent.interface}"
        )
    return agent
