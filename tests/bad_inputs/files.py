"""The files that bad inputs name: damaged, strange, hostile, and one good checkpoint."""

from __future__ import annotations

import copy
import json
import pickle
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from badger_graph.cli import fit_main
from badger_graph.library.shipping import SHIPPED

FAST = shlex.split(
    "--max_steps 2 --num_experts 6 --num_outputs 2 --num_steps 3 --batch_size 2 "
    "--model.val_batches 1 --trainer.val_check_interval 1 --evaluate false"
)
"""Flags of a training that is over at once."""


def make_files(folder: Path) -> None:
    """Write all files into a folder, which must be the current one."""
    fit_main([*FAST, "--run_dir", "trained"])
    good = torch.load(folder / "trained" / "checkpoints" / "last.ckpt", weights_only=True)
    for name in ("checkpoints", "configs", "graphs", "cards"):
        (folder / name).mkdir()
    for name, change in CHECKPOINTS.items():
        checkpoint = copy.deepcopy(good)
        change(checkpoint)
        torch.save(checkpoint, folder / "checkpoints" / f"{name}.ckpt")
    _damaged(folder / "checkpoints", folder / "checkpoints" / "good.ckpt")
    _cards(folder / "cards")
    texts = {"configs": CONFIGS, "graphs": GRAPHS, "": TEXTS}
    for place, files in texts.items():
        for name, text in files.items():
            (folder / place / name).write_text(text)
    (folder / "configs" / "binary.yaml").write_bytes(bytes(range(256)))


def _init(checkpoint: dict[str, Any], part: str) -> dict[str, Any]:
    return checkpoint["badger_graph"]["agent"]["init_args"][part]["init_args"]


def _weights(to: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], None]:
    def change(checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: to(weight) for name, weight in state.items()}

    return change


def _topology(name: str, **arguments: Any) -> Callable[[dict[str, Any]], None]:
    def change(checkpoint: dict[str, Any]) -> None:
        agent = checkpoint["badger_graph"]["agent"]["init_args"]
        agent["topology"] = {"class_path": f"topologies.{name}", "init_args": arguments}

    return change


def _networkx(generator: str, **kwargs: Any) -> Callable[[dict[str, Any]], None]:
    return _topology("networkx.NetworkXTopology", generator=generator, kwargs=kwargs)


CHECKPOINTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "good": lambda _: None,
    "int8": _weights(lambda weight: weight.to(torch.int8)),
    "complex": _weights(lambda weight: weight.to(torch.complex64)),
    "nan": _weights(lambda weight: weight * torch.nan),
    "shape": _weights(lambda weight: weight[:1]),
    "missing_weight": lambda c: c["state_dict"].popitem(),
    "no_weights": lambda c: c.pop("state_dict"),
    "no_steps": lambda c: c.pop("global_step"),
    "list_config": lambda c: c.update(badger_graph=[1, 2]),
    "strange": lambda c: c.pop("badger_graph"),
    "unknown_class": lambda c: c["badger_graph"]["agent"].update(class_path="no.such.Class"),
    "function": lambda c: c["badger_graph"]["agent"].update(class_path="os.system"),
    "unknown_argument": lambda c: _init(c, "policy").update(colour="red"),
    "hypercube": _networkx("hypercube_graph", n=40),
    "complete": _networkx("complete_graph", n=1000000),
    "many_in_links": _topology("random.RandomTopology", k=10**9),
    "many_experts": lambda c: c["badger_graph"].update(num_experts=10**9),
    "wide": lambda c: _init(c, "policy").update(hidden_size=10**9),
    "half_index": _topology("given.GivenGraph", num_experts=6, index=[[0.5], [1]]),
    "text_size": lambda c: c["badger_graph"].update(num_experts="six"),
}


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("code of a stranger was run",)


def _damaged(folder: Path, good: Path) -> None:
    (folder / "empty.ckpt").write_bytes(b"")
    (folder / "text.ckpt").write_text("weights")
    contents = good.read_bytes()
    (folder / "half.ckpt").write_bytes(contents[: len(contents) // 2])
    (folder / "pickled.ckpt").write_bytes(pickle.dumps(_Code()))


def _cards(folder: Path) -> None:
    weights = (SHIPPED / "micro_badger.safetensors").read_bytes()
    card = json.loads((SHIPPED / "micro_badger.json").read_text())
    training = card["training"]
    cards: dict[str, Any] = {
        "null_training": {**card, "training": None},
        "null_config": {**card, "config": None},
        "list_card": [card],
        "no_errors": {name: part for name, part in card.items() if name != "errors"},
        "other_hash": {**card, "sha256": "0" * 64},
        "text_steps": {**card, "training": {**training, "outer_steps": "many"}},
        "truncated": card,
        "no_weights": card,
    }
    for name, contents in cards.items():
        (folder / f"{name}.json").write_text(json.dumps(contents))
        (folder / f"{name}.safetensors").write_bytes(weights)
    (folder / "broken.json").write_text(json.dumps(card)[:100])
    (folder / "broken.safetensors").write_bytes(weights)
    (folder / "no_card.safetensors").write_bytes(weights)
    (folder / "no_weights.safetensors").unlink()
    (folder / "truncated.safetensors").write_bytes(weights[:100])


CONFIGS = {
    "list.yaml": "[1, 2]",
    "text.yaml": "nothing but text",
    "bomb.yaml": "a0: &a0 [x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
    "deep.yaml": "model: " + "[" * 5000 + "]" * 5000,
    "tab.yaml": "model:\n\tnum_experts: 3\n",
    "object.yaml": "model: !!python/object/apply:os.system ['true']\n",
    "itself.yaml": "model: &model {agent: *model}\n",
    "unknown.yaml": "model: {colour: red}\n",
    "wrong_type.yaml": "model: {num_experts: lots}\n",
    "agent_list.yaml": "model: {agent: [1, 2]}\n",
    "null_model.yaml": "model: null\n",
}

GRAPHS = {
    "empty.edgelist": "",
    "words.edgelist": "0 1 much\n",
    "nan.edgelist": "0 1 nan\n1 0\n",
    "big_weight.edgelist": "0 1 1e39\n1 2\n2 3\n3 4\n4 5\n5 0\n",
    "five.edgelist": "0 1\n1 2\n2 3\n3 4\n4 0\n",
    "broken.json": '{"nodes": [',
    "list.json": "[1, 2]",
    "broken.graphml": "<graphml>",
    "bomb.graphml": '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{("&a" + str(i - 1 or "") + ";") * 10}">' for i in range(1, 10))
    + "]><graphml>&a9;</graphml>",
}

TEXTS = {
    "raising.py": "raise RuntimeError('boom')\n",
    "exiting.py": "import sys\nsys.exit(0)\n",
    "misspelt.py": "deff f():\n",
    "graph.png": "no graph",
    "results_broken.json": "[{",
}
