"""Checkpoints that are whole files at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import TorchCheckpointIO

from badger_graph.files import whole_file


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and then swaps them: a kill leaves one of the two."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        with whole_file(path) as partial:
            super().save_checkpoint(checkpoint, partial, storage_options)
